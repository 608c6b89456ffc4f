#pragma once

#include <cstdint>
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

// loop.template run<kCount>() for a count of 1 to 4, that of a dense tile's pixels; more are 4.
template <typename Loop>
inline void for_count(std::int64_t count, const Loop& loop) noexcept {
  switch (count) {
    case 1:
      return loop.template run<1>();
    case 2:
      return loop.template run<2>();
    case 3:
      return loop.template run<3>();
    default:
      return loop.template run<4>();
  }
}

}  // namespace
}  // namespace bdnet
