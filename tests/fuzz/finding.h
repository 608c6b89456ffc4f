#pragma once

#include <cstdio>
#include <cstdlib>

namespace bdnet::fuzz {

// Ends the process with what is wrong; libFuzzer keeps the input that led there.
[[noreturn]] inline void finding(const char* what) noexcept {
  std::fprintf(stderr, "FINDING: the library %s\n", what);
  std::abort();
}

}  // namespace bdnet::fuzz
