#pragma once

#include <cstdint>

#include "inner_loops.h"

// The NEON inner loops, by file; neon.cpp makes a table of them.
namespace bdnet::neon {

inline constexpr std::int64_t kFilterTile = 64;   // four vectors of bytes
inline constexpr std::int64_t kChannelTile = 16;  // depth-wise, channels to a vector of bytes

void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept;
void binarise(const float* x, const float* threshold, std::int64_t pixels, std::int64_t channels,
              std::int8_t* signs) noexcept;
void dense_tile(const DenseTile& tile) noexcept;
void depthwise_row(const DepthwiseRow& row, float* y) noexcept;
void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept;
void depthwise_epilogue(const DepthwiseEpilogue& row) noexcept;
void pointwise_row(const PointwiseRow& row) noexcept;
void ordered_conv_row(const OrderedRow& row) noexcept;
void average_row(const PoolRow& row) noexcept;

}  // namespace bdnet::neon
