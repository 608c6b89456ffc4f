#pragma once

#include <utility>

// Internal linkage, see inner_loops.h.
namespace bdnet {
namespace {

template <typename Body, int... kIndices>
inline void unroll(std::integer_sequence<int, kIndices...>, const Body& body) noexcept {
  (body(kIndices), ...);
}

// body(0), body(1), ... body(kCount - 1), written out: compilers keep an array of vectors in
// registers only where every index is a constant, and do not always unroll a loop to see that.
template <int kCount, typename Body>
inline void unroll(const Body& body) noexcept {
  unroll(std::make_integer_sequence<int, kCount>(), body);
}

}  // namespace
}  // namespace bdnet
