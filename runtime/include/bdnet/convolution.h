#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bdnet/status.h"

namespace bdnet {

// A tensor's shape: batch, height, width, channels.
using Shape4 = std::array<std::int64_t, 4>;

// The order of an input's dimensions: [N, H, W, C], or [N, C, H, W] as image files have it. A
// geometry counts them as Shape4 does, either way.
enum class Layout { kChannelsLast, kChannelsFirst };

// What a convolution's node says about it. Pairs are (height, width).
struct ConvAttributes {
  std::array<std::int64_t, 2> kernel_shape{1, 1};
  std::array<std::int64_t, 2> strides{1, 1};
  std::array<std::int64_t, 4> pads{0, 0, 0, 0};  // top, left, bottom, right
  std::array<std::int64_t, 2> dilations{1, 1};
  std::int64_t channels = 1;   // of the input, per group
  std::int64_t group = 1;      // the input has group * channels channels
  std::int64_t pad_value = 0;  // -1, 0 or +1: the padding after binarisation
  int planes = 1;              // bit planes of a weight: 1 is binary, 2 ternary

  // Weights in one filter; check_attributes() bounds it.
  std::int64_t filter_size() const noexcept { return kernel_shape[0] * kernel_shape[1] * channels; }
};

// A convolution at one input shape: everything a kernel needs to know but the data.
struct ConvGeometry {
  ConvAttributes attributes;
  std::int64_t filters = 0;
  Shape4 input{};
  std::array<std::int64_t, 2> padded{};  // height and width of the padded input
  Shape4 output{};

  // Elements of the padded input, all images; make_conv_geometry() saw that it can be counted.
  std::int64_t padded_count() const noexcept { return input[0] * padded[0] * padded[1] * input[3]; }
  bool is_depthwise() const noexcept {
    return attributes.channels == 1 && filters == attributes.group;
  }
};

// Checks everything that does not depend on the input. An integer sum of filter_size() signs must
// be a float, hence the limit of 2^24 on it.
Status check_attributes(const ConvAttributes& attributes, std::int64_t filters);

// Checks that packed weights of shape `dims`, [M, B] for one bit plane and [2, M, B] for two, hold
// filters as `attributes` describe them, and sets `filters` to M.
Status check_packed_shape(const ConvAttributes& attributes, const std::vector<std::int64_t>& dims,
                          std::int64_t* filters);

// Checks the input's shape against attributes and filters that check_attributes() accepted, and
// computes the geometry. The output's height (width likewise) is
//   floor((height + top + bottom - dilation * (kernel - 1) - 1) / stride) + 1.
// The batch may be empty; nothing else may. Messages call the weights what `weights` says, and name
// the input's dimensions in the order of `layout`, which is that of `input_dims`.
Status make_conv_geometry(const ConvAttributes& attributes, std::int64_t filters,
                          const std::vector<std::int64_t>& input_dims, ConvGeometry* geometry,
                          const char* weights = "the packed weights",
                          Layout layout = Layout::kChannelsLast);

}  // namespace bdnet
