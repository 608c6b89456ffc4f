#pragma once

#include <cstdint>

#include "bdnet/separable_block.h"

// What one instruction set brings: its inner loops. What calls them, vector_kernels.cpp, is the
// same for all and compiled for any processor, and only the files that define the loops are
// compiled for theirs. An inline function or a template that both shared would be compiled twice,
// and the linker, which keeps one, could put instructions where a processor without them comes by.
// So what crosses this border is numbers and pointers, and nothing in those files has external
// linkage but their table.
namespace bdnet {

// Pixels side by side that a dense loop counts for at once, at most; and for which an epilogue
// loads its constants once.
inline constexpr std::int64_t kPixelTile = 4;
inline constexpr std::int64_t kEpilogueTile = 16;

// A few pixels of a dense convolution, all filters of one group.
struct DenseTile {
  std::int64_t pixels;  // 1 to kPixelTile
  const std::uint8_t* codes[kPixelTile];
  std::int64_t terms;          // products in each sum
  std::int64_t kernel_height;  // of the taps that count: those in padding of zeros do not
  std::int64_t kernel_width;
  std::int64_t row_step;     // bytes of codes from a tap to that below it
  std::int64_t column_step;  // and to that on its right
  std::int64_t words;        // of one tap of one filter
  std::int64_t planes;
  const std::uint8_t* filters;   // [tiles, taps, planes, words, filter tile]: the first tap
  std::int64_t filter_row_step;  // bytes of filters from a tap to that below it
  std::int64_t filter_tile_step;
  std::int64_t filter_count;
  float* y;
  std::int64_t y_step;  // floats from a pixel to the next
};

// One row of pixels, all channels.
struct DepthwiseRow {
  const std::int8_t* const* rows;  // of each row of the kernel, its first tap at the first pixel;
                                   // readable for channel_tile bytes past the last
  std::int64_t kernel_height;
  std::int64_t kernel_width;
  std::int64_t column_step;    // bytes from a tap to that on its right
  std::int64_t pixel_step;     // bytes from a pixel's first tap to the next pixel's
  const std::int8_t* filters;  // [taps, filter_step]
  std::int64_t filter_step;    // the channels, rounded up to channel_tile
  std::int64_t channels;
  std::int64_t width;
};

// One row of pixels of a float convolution. Steps are in floats.
struct OrderedRow {
  const float* image;
  std::int64_t height;
  std::int64_t width;
  std::int64_t channels;
  std::int64_t row_step;
  std::int64_t column_step;
  std::int64_t channel_step;
  std::int64_t top;     // row of the first tap
  std::int64_t left;    // column of the first pixel's first tap
  std::int64_t stride;  // columns from a pixel to the next
  std::int64_t dilation_y;
  std::int64_t dilation_x;
  std::int64_t kernel_height;
  std::int64_t kernel_width;
  const float* weight;  // [taps * channels, filters]
  std::int64_t filters;
  const float* bn_mul;  // [filters], or null: no normalisation
  const float* bn_add;
  float* y;
  std::int64_t output_width;
  // Rows of the input that the next output row reads first. They are fetched while this one is
  // computed: an image of a batch comes from far, and rows of planes are many streams.
  std::int64_t next_top;
  std::int64_t next_rows;
};

// Pixels side by side of a pool: y[c] = (x[c] of every tap, row by row) / taps.
struct PoolRow {
  const float* x;  // the first tap of the first pixel
  std::int64_t kernel_height;
  std::int64_t kernel_width;
  std::int64_t columns;   // of the input from x on: the last pixel may have fewer taps
  std::int64_t row_step;  // floats from a tap to that below it
  std::int64_t channels;
  float* y;  // [width, y_step]
  std::int64_t y_step;
  std::int64_t width;
};

// A unit's epilogue: constants padded to kConstantTile, attributes.
struct Epilogue {
  UnitConstants constants;
  UnitAttributes unit;
};

// The second half of the depth-wise unit, for pixels side by side: from integers to values and
// their codes.
struct DepthwiseEpilogue {
  Epilogue epilogue;
  const std::int8_t* sums;  // [width, step]
  const float* shortcut;    // [width, shortcut_step]
  std::int64_t shortcut_step;
  float* y;                     // [width, step], step a multiple of kConstantTile
  std::int64_t step;            // the channels, rounded up
  const float* next_threshold;  // of the point-wise unit's sign
  std::uint8_t* codes;          // [width, code_step]
  std::int64_t code_step;
  std::int64_t channels;
  std::int64_t width;
};

// The point-wise unit, for pixels side by side. Output m adds channel m % channels of the shortcut;
// where the channels are repeated they are a multiple of kConstantTile.
struct PointwiseRow {
  Epilogue epilogue;
  const std::uint8_t* codes;  // [width, code_step]
  std::int64_t code_step;
  std::int64_t words;  // of one filter
  std::int64_t planes;
  std::int64_t channels;        // at most kMostBlockChannels
  const std::uint8_t* filters;  // [tiles, planes, words, filter tile]
  std::int64_t filter_count;
  const float* shortcut;  // [width, shortcut_step], readable in whole vectors
  std::int64_t shortcut_step;
  std::int64_t shortcut_channels;
  float* y;  // [width, filter_count]
  std::int64_t width;
};

struct InnerLoops {
  const char* isa;

  // Dense convolutions, and the point-wise unit: a filter's bits are cut into words of
  // word_channels bits, each in word_bytes bytes, and those of filter_tile filters stand side by
  // side: [words, filter_tile, word_bytes]. An activation's signs for one such word are a code of
  // code_bytes bytes. There are words for a multiple of eight channels; bits past the last are 0 in
  // both.
  std::int64_t word_channels;
  std::int64_t word_bytes;
  std::int64_t filter_tile;
  std::int64_t code_bytes;
  // The same of a linear layer, whose words may hold more bits: there weights are read once, and
  // reading them is what takes the time. Codes are those of a dense convolution.
  std::int64_t linear_word_channels;
  // Depth-wise: channels to a vector of bytes.
  std::int64_t channel_tile;

  // Writes the codes of the signs of x.
  void (*encode_signs)(const float* x, std::int64_t count, std::uint8_t* codes) noexcept;
  // Writes x >= threshold ? +1 : -1 for every pixel; null is a threshold of 0.
  void (*binarise)(const float* x, const float* threshold, std::int64_t pixels,
                   std::int64_t channels, std::int8_t* signs) noexcept;
  void (*dense_tile)(const DenseTile& tile) noexcept;
  // The same for one tap, with words of linear_word_channels bits.
  void (*linear_tile)(const DenseTile& tile) noexcept;
  // The integers as floats, y: [width, channels]; or, for up to kMostBlockTaps taps, as bytes,
  // sums: [width, step].
  void (*depthwise_row)(const DepthwiseRow& row, float* y) noexcept;
  void (*depthwise_sums)(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept;
  void (*depthwise_epilogue)(const DepthwiseEpilogue& row) noexcept;
  void (*pointwise_row)(const PointwiseRow& row) noexcept;
  void (*ordered_conv_row)(const OrderedRow& row) noexcept;
  void (*average_row)(const PoolRow& row) noexcept;
};

#define BDNET_INSTRUCTION_SET(name, runs, because) \
  namespace name {                                 \
  extern const InnerLoops kInnerLoops;             \
  }
#include "bdnet/kernels.inc"

}  // namespace bdnet
