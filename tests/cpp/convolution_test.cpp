// The shape of a convolution, and what is refused before a kernel sees it.

#include "bdnet/convolution.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Status;

constexpr std::int64_t kHuge = std::numeric_limits<std::int32_t>::max();

ConvAttributes conv3x3(std::int64_t channels) {
  ConvAttributes attributes;
  attributes.kernel_shape = {3, 3};
  attributes.pads = {1, 1, 1, 1};
  attributes.channels = channels;
  return attributes;
}

std::string message_for_input(const ConvAttributes& attributes,
                              const std::vector<std::int64_t>& dims, std::int64_t filters = 8) {
  ConvGeometry geometry;
  return bdnet::make_conv_geometry(attributes, filters, dims, &geometry).message();
}

std::string message_for_weights(ConvAttributes attributes, int planes,
                                const std::vector<std::int64_t>& dims) {
  attributes.planes = planes;
  std::int64_t filters = 0;
  return bdnet::check_packed_shape(attributes, dims, &filters).message();
}

TEST(ConvGeometry, CountsPositionsOneByOne) {
  for (std::int64_t size = 1; size <= 12; ++size) {
    for (std::int64_t kernel = 1; kernel <= 4; ++kernel) {
      for (std::int64_t stride = 1; stride <= 3; ++stride) {
        for (std::int64_t dilation = 1; dilation <= 3; ++dilation) {
          for (std::int64_t before = 0; before <= 2; ++before) {
            for (std::int64_t after = 0; after <= 2; ++after) {
              ConvAttributes attributes;
              attributes.kernel_shape = {kernel, 1};
              attributes.strides = {stride, 1};
              attributes.dilations = {dilation, 1};
              attributes.pads = {before, 0, after, 0};
              std::int64_t positions = 0;
              for (std::int64_t first = -before; first + dilation * (kernel - 1) < size + after;
                   first += stride) {
                ++positions;
              }
              ConvGeometry geometry;
              const Status status =
                  bdnet::make_conv_geometry(attributes, 1, {2, size, 1, 1}, &geometry);
              ASSERT_EQ(status.ok(), positions > 0) << status.message();
              if (status.ok()) {
                ASSERT_EQ(geometry.output, (bdnet::Shape4{2, positions, 1, 1}));
              }
            }
          }
        }
      }
    }
  }
}

TEST(ConvGeometry, AcceptsAnEmptyBatch) {
  EXPECT_EQ(message_for_input(conv3x3(4), {0, 5, 5, 4}), "");
}

TEST(ConvGeometry, RefusesOtherInputs) {
  EXPECT_EQ(message_for_input(conv3x3(4), {5, 5, 4}),
            "the input has rank 3, expected 4 (batch, height, width, channels)");
  EXPECT_EQ(message_for_input(conv3x3(4), {}),
            "the input has rank 0, expected 4 (batch, height, width, channels)");
  EXPECT_EQ(message_for_input(conv3x3(64), {1, 5, 5, 63}),
            "the input has 63 channels, the packed weights are for 64 (group 1 x channels 64)");
  for (const auto& dims : {std::vector<std::int64_t>{1, 0, 5, 4}, {1, 5, 0, 4}, {1, 5, 5, 0}}) {
    EXPECT_NE(message_for_input(conv3x3(4), dims).find("only the batch may be empty"),
              std::string::npos);
  }
  ConvAttributes wide = conv3x3(4);
  wide.dilations = {1, 4};
  EXPECT_EQ(message_for_input(wide, {1, 5, 5, 4}),
            "the kernel covers 3x9 (kernel_shape 3x3, dilations 1x4), the padded input has only "
            "7x7; use a larger input");
}

TEST(ConvGeometry, DoesNotOverflow) {
  ConvAttributes attributes = conv3x3(1);
  EXPECT_NE(message_for_input(attributes, {kHuge, kHuge, kHuge, 1}), "");
  EXPECT_NE(message_for_input(attributes, {0, std::numeric_limits<std::int64_t>::max(), 1, 1}), "");
  EXPECT_NE(message_for_input(attributes, {1, -1, 5, 1}), "");
  attributes.pads = {kHuge, kHuge, kHuge, kHuge};
  EXPECT_NE(message_for_input(attributes, {4, 5, 5, 1}).find("more than can be addressed"),
            std::string::npos);
  attributes.pads = {0, 0, 0, 0};
  attributes.dilations = {kHuge, kHuge};
  EXPECT_NE(message_for_input(attributes, {1, 5, 5, 1}).find("the kernel covers 4294967295x"),
            std::string::npos);
  // The input is small and the output is not.
  attributes = ConvAttributes{};
  attributes.pads = {1 << 20, 1 << 20, 1 << 20, 1 << 20};
  EXPECT_NE(message_for_input(attributes, {1, 1, 1, 1}, kHuge).find("the output would have"),
            std::string::npos);
}

TEST(ConvAttributes, RefusesValuesOutOfRange) {
  const auto message = [](auto change) {
    ConvAttributes attributes = conv3x3(4);
    change(attributes);
    return bdnet::check_attributes(attributes, 8).message();
  };
  EXPECT_EQ(message([](ConvAttributes&) {}), "");
  EXPECT_EQ(message([](ConvAttributes& a) { a.strides = {1, 0}; }),
            "attribute 'strides' has the value 0, expected 1 to 2147483647");
  EXPECT_EQ(message([](ConvAttributes& a) { a.pads = {0, 0, -1, 0}; }),
            "attribute 'pads' has the value -1, expected 0 to 2147483647");
  EXPECT_EQ(message([](ConvAttributes& a) { a.pad_value = 2; }),
            "attribute 'pad_value' has the value 2, expected -1, 0 or 1");
  EXPECT_EQ(message([](ConvAttributes& a) { a.group = 3; }),
            "the weights have 8 filters, expected a multiple of group 3");
  EXPECT_NE(message([](ConvAttributes& a) { a.kernel_shape = {0, 3}; }), "");
  EXPECT_NE(message([](ConvAttributes& a) { a.dilations = {0, 1}; }), "");
  EXPECT_NE(message([](ConvAttributes& a) { a.channels = 0; }), "");
  EXPECT_NE(message([](ConvAttributes& a) { a.group = 0; }), "");
  EXPECT_NE(
      message([](ConvAttributes& a) { a.channels = std::numeric_limits<std::int64_t>::max(); }),
      "");
}

TEST(ConvAttributes, KeepsSumsWithinWhatFloatHolds) {
  ConvAttributes attributes;
  attributes.channels = (1 << 24) - 1;
  EXPECT_TRUE(bdnet::check_attributes(attributes, 1).ok());
  attributes.channels = 1 << 24;
  EXPECT_FALSE(bdnet::check_attributes(attributes, 1).ok());
  attributes.kernel_shape = {kHuge, kHuge};
  EXPECT_FALSE(bdnet::check_attributes(attributes, 1).ok());
}

TEST(PackedShape, CountsBytes) {
  EXPECT_EQ(message_for_weights(conv3x3(64), 1, {8, 72}), "");
  EXPECT_EQ(message_for_weights(conv3x3(1), 2, {2, 8, 2}), "");
  EXPECT_EQ(message_for_weights(conv3x3(64), 1, {8, 71}),
            "the packed weights have 71 bytes per filter, expected 72 (kernel_shape 3x3, channels "
            "64: 576 bits)");
  EXPECT_NE(message_for_weights(conv3x3(64), 1, {8, 73}), "");
  EXPECT_EQ(message_for_weights(conv3x3(64), 1, {576}),
            "the packed weights have rank 1, expected 2 (filters, bytes)");
  EXPECT_EQ(message_for_weights(conv3x3(64), 2, {8, 72}),
            "the packed weights have rank 2, expected 3 (2 bit planes, filters, bytes)");
  EXPECT_EQ(
      message_for_weights(conv3x3(64), 2, {3, 8, 72}),
      "the packed weights have the shape 3x8x72, expected 2 bit planes in the first dimension");
  EXPECT_NE(message_for_weights(conv3x3(64), 1, {0, 72}), "");
}

}  // namespace
