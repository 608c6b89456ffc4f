#pragma once

#include <cstdint>

#include "inner_loops.h"

// The AVX-512 inner loops, by file; avx512.cpp makes a table of them.
namespace bdnet::avx512 {

inline constexpr std::int64_t kFilterTile = 16;   // one to a word of a vector
inline constexpr std::int64_t kChannelTile = 64;  // depth-wise, channels to a vector of bytes

#include "inner_loop_functions.inc"

}  // namespace bdnet::avx512
