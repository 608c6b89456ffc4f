#pragma once

#include <cstdint>

// The inner loops of the AVX2 kernels. What calls them is compiled for any x86-64 processor, and
// only the files that define them with -mavx2. An inline function or a template that both shared
// would be compiled twice, and the linker, which keeps one, could put AVX2 instructions where any
// processor comes by. So what crosses this border is numbers and pointers, and nothing here or in
// those files has external linkage but the functions below.
namespace bdnet::avx2 {

// Dense convolutions: signs as codes of nibbles. Four signs are a number of 0 to 15, the first the
// lowest bit; its code is a byte that holds four times that number, and 64 stands for four signs
// that are not there. (A quarter of a code is a row of the table in avx2_dense.cpp; the factor
// turns a code into an address by one scaled operand.)
constexpr std::uint8_t kNibbleCode = 4;
constexpr std::uint8_t kAbsentCode = 16 * kNibbleCode;

// The filters are tiled by 32, one to a byte of a vector; pixels are done four at a time.
constexpr std::int64_t kFilterTile = 32;
constexpr std::int64_t kPixelTile = 4;

// Depth-wise: channels to a vector of bytes.
constexpr std::int64_t kChannelTile = 32;

// Writes the codes of the signs of x, two for every eight floats; bits past the last float are 0.
void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept;

// Writes x >= 0 ? +1 : -1.
void binarise(const float* x, std::int64_t count, std::int8_t* signs) noexcept;

// A few pixels side by side, all filters of one group.
struct DenseTile {
  std::int64_t pixels;  // 1 to kPixelTile
  const std::uint8_t* codes[kPixelTile];
  float terms[kPixelTile];  // the number of products in each pixel's sums
  std::int64_t kernel_height;
  std::int64_t kernel_width;
  std::int64_t row_step;     // bytes of codes from a tap to that below it
  std::int64_t column_step;  // and to that on its right
  std::int64_t tap_bytes;    // of one filter's bits: ceil(channels / 8)
  std::int64_t planes;
  const std::uint8_t* filters;  // [tiles, taps, planes, tap_bytes, kFilterTile]
  std::int64_t filter_count;
  float* y;
  std::int64_t y_step;  // floats from a pixel to the next
};
void dense_tile(const DenseTile& tile) noexcept;

// One row of pixels, all channels.
struct DepthwiseRow {
  const std::int8_t* signs;  // readable for kChannelTile bytes past the last
  std::int64_t kernel_height;
  std::int64_t kernel_width;
  std::int64_t row_step;       // bytes from a tap to that below it
  std::int64_t column_step;    // and to that on its right
  std::int64_t pixel_step;     // bytes from a pixel's first tap to the next pixel's
  const std::int8_t* filters;  // [taps, filter_step]
  std::int64_t filter_step;    // the channels, rounded up to kChannelTile
  std::int64_t channels;
  float* y;
  std::int64_t width;
};
void depthwise_row(const DepthwiseRow& row) noexcept;

// One row of pixels of a float convolution.
struct OrderedRow {
  const float* image;  // [height, width, channels]
  std::int64_t height;
  std::int64_t width;
  std::int64_t channels;
  std::int64_t top;     // row of the first tap
  std::int64_t left;    // column of the first pixel's first tap
  std::int64_t stride;  // columns from a pixel to the next
  std::int64_t dilation_y;
  std::int64_t dilation_x;
  std::int64_t kernel_height;
  std::int64_t kernel_width;
  const float* weight;  // [taps * channels, filters]
  std::int64_t filters;
  float* y;
  std::int64_t output_width;
};
void ordered_conv_row(const OrderedRow& row) noexcept;

// One pixel of a pool: y[c] = (x[c] of every tap, row by row) / taps.
struct PoolTile {
  const float* x;  // the first tap
  std::int64_t height;
  std::int64_t width;
  std::int64_t row_step;  // floats from a tap to that below it
  std::int64_t channels;
  float* y;
};
void average_tile(const PoolTile& tile) noexcept;

}  // namespace bdnet::avx2
