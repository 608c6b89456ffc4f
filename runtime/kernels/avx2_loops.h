#pragma once

#include <cstdint>

#include "inner_loops.h"

// The AVX2 inner loops, by file; avx2.cpp makes a table of them.
namespace bdnet::avx2 {

inline constexpr std::int64_t kFilterTile = 32;   // one to a byte of a vector
inline constexpr std::int64_t kChannelTile = 32;  // depth-wise, channels to a vector of bytes

#include "inner_loop_functions.inc"
void linear_tile(const DenseTile& tile) noexcept;  // the others take dense_tile()

}  // namespace bdnet::avx2
