// The reference kernels against an oracle that is written from the other end: one output at a time,
// in double, from weights and activations as they are, with no packing, padding or tiling.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel_runs.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Sign;

constexpr unsigned kSeed = 20240229;

// x at a place that may lie in the padding.
double sign_at(const ConvGeometry& geometry, const std::vector<float>& x, std::int64_t n,
               std::int64_t row, std::int64_t column, std::int64_t channel) {
  const auto [batch, height, width, channels] = geometry.input;
  if (row < 0 || row >= height || column < 0 || column >= width) {
    return static_cast<double>(geometry.attributes.pad_value);
  }
  const std::int64_t index = ((n * height + row) * width + column) * channels + channel;
  return x[static_cast<std::size_t>(index)] >= 0.0f ? 1.0 : -1.0;
}

// weights: [M, kh, kw, Cg].
std::vector<float> expected_sign_conv(const ConvGeometry& geometry, const std::vector<float>& x,
                                      const std::vector<Sign>& weights) {
  const ConvAttributes& a = geometry.attributes;
  std::vector<float> y;
  for (std::int64_t n = 0; n < geometry.output[0]; ++n) {
    for (std::int64_t oy = 0; oy < geometry.output[1]; ++oy) {
      for (std::int64_t ox = 0; ox < geometry.output[2]; ++ox) {
        for (std::int64_t m = 0; m < geometry.filters; ++m) {
          const std::int64_t group = m / (geometry.filters / a.group);
          double sum = 0.0;
          for (std::int64_t i = 0; i < a.filter_size(); ++i) {
            const std::int64_t channel = i % a.channels;
            const std::int64_t kx = i / a.channels % a.kernel_shape[1];
            const std::int64_t ky = i / a.channels / a.kernel_shape[1];
            sum += weights[static_cast<std::size_t>(m * a.filter_size() + i)] *
                   sign_at(geometry, x, n, oy * a.strides[0] - a.pads[0] + ky * a.dilations[0],
                           ox * a.strides[1] - a.pads[1] + kx * a.dilations[1],
                           group * a.channels + channel);
          }
          y.push_back(static_cast<float>(sum));
        }
      }
    }
  }
  return y;
}

TEST(ReferenceKernels, SignConvolutionOfRandomShapes) {
  for (unsigned round = 0; round < 400; ++round) {
    std::mt19937 random(kSeed + round);
    const auto pick = [&](int low, int high) {
      return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    ConvAttributes a;
    a.kernel_shape = {pick(1, 4), pick(1, 4)};
    a.strides = {pick(1, 3), pick(1, 3)};
    a.pads = {pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)};
    a.dilations = {pick(1, 3), pick(1, 3)};
    const bool depthwise = pick(0, 2) == 0;
    a.channels = depthwise ? 1 : pick(1, 70);
    a.group = depthwise ? pick(1, 150) : pick(1, 3);
    a.pad_value = pick(-1, 1);
    a.planes = static_cast<int>(pick(1, 2));
    const std::int64_t filters = a.group * (depthwise ? pick(1, 2) : pick(1, 5));
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    ConvGeometry geometry;
    const bdnet::Status status = bdnet::make_conv_geometry(
        a, filters, {pick(1, 3), pick(1, 11), pick(1, 11), a.group * a.channels}, &geometry);
    if (!status.ok()) continue;  // the kernel is larger than the input

    const std::vector<float> x = noise(random, count(geometry.input));
    const std::vector<Sign> weights = random_weights(random, a, filters);
    ASSERT_EQ(run_sign_conv(bdnet::reference_kernels(), geometry, x, weights),
              expected_sign_conv(geometry, x, weights));
  }
}

TEST(ReferenceKernels, OrderedConvolutionKeepsTheOrder) {
  // From left to right 3 + 1e8 - 1e8 + 1 is 1; from right to left it is 3, and in pairs 0.
  ConvAttributes a;
  a.kernel_shape = {1, 2};
  a.channels = 2;
  ConvGeometry geometry;
  ASSERT_TRUE(bdnet::make_conv_geometry(a, 2, {1, 1, 2, 2}, &geometry).ok());
  const std::vector<float> x{3.0f, 1e8f, -1e8f, 1.0f};
  const std::vector<float> weight{1.0f, 2.0f, 1.0f, 2.0f, 1.0f, 2.0f, 1.0f, 2.0f};
  std::vector<float> y(2);
  bdnet::reference_kernels().ordered_conv_rows(geometry, x.data(), weight.data(), y.data(), 0, 1);
  EXPECT_EQ(y, (std::vector<float>{1.0f, 2.0f}));
}

TEST(ReferenceKernels, OrderedConvolutionRoundsEveryProduct) {
  // (1 + e)^2 - (1 + 2e) is e^2 when the product and the sum are contracted, 0 when they are not.
  const float e = std::numeric_limits<float>::epsilon();
  ConvAttributes a;
  a.channels = 2;
  ConvGeometry geometry;
  ASSERT_TRUE(bdnet::make_conv_geometry(a, 1, {1, 1, 1, 2}, &geometry).ok());
  const std::vector<float> x{-(1.0f + 2.0f * e), 1.0f + e};
  const std::vector<float> weight{1.0f, 1.0f + e};
  float y = 99.0f;
  bdnet::reference_kernels().ordered_conv_rows(geometry, x.data(), weight.data(), &y, 0, 1);
  EXPECT_EQ(y, 0.0f);
}

TEST(ReferenceKernels, OrderedConvolutionOfRandomShapes) {
  for (unsigned round = 0; round < 100; ++round) {
    std::mt19937 random(kSeed + round);
    const auto pick = [&](int low, int high) {
      return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    ConvAttributes a;
    a.kernel_shape = {pick(1, 4), pick(1, 4)};
    a.strides = {pick(1, 3), pick(1, 3)};
    a.pads = {pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)};
    a.dilations = {pick(1, 2), pick(1, 2)};
    a.channels = pick(1, 5);
    const std::int64_t filters = pick(1, 140);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    ConvGeometry geometry;
    const bdnet::Status status = bdnet::make_conv_geometry(
        a, filters, {pick(1, 2), pick(1, 9), pick(1, 9), a.channels}, &geometry);
    if (!status.ok()) continue;  // the kernel is larger than the input

    const auto [batch, height, width, channels] = geometry.input;
    const std::vector<float> x = noise(random, count(geometry.input));
    const std::vector<float> weight =
        noise(random, static_cast<std::size_t>(a.filter_size() * filters));
    std::vector<float> y(count(geometry.output), 99.0f);
    bdnet::reference_kernels().ordered_conv_rows(geometry, x.data(), weight.data(), y.data(), 0,
                                                 geometry.output[0] * geometry.output[1]);

    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      const std::int64_t m = index % filters;
      const std::int64_t ox = index / filters % geometry.output[2];
      const std::int64_t oy = index / filters / geometry.output[2] % geometry.output[1];
      const std::int64_t n = index / filters / geometry.output[2] / geometry.output[1];
      volatile float sum = 0.0f;  // every step through memory, so that none can be contracted
      for (std::int64_t tap = 0; tap < a.filter_size(); ++tap) {
        const std::int64_t row =
            oy * a.strides[0] - a.pads[0] + tap / channels / a.kernel_shape[1] * a.dilations[0];
        const std::int64_t column =
            ox * a.strides[1] - a.pads[1] + tap / channels % a.kernel_shape[1] * a.dilations[1];
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        const std::int64_t at = ((n * height + row) * width + column) * channels + tap % channels;
        const float value = inside ? x[static_cast<std::size_t>(at)] : 0.0f;
        const volatile float product = value * weight[static_cast<std::size_t>(tap * filters + m)];
        sum = sum + product;
      }
      const float expected = sum;
      ASSERT_TRUE(y[i] == expected || (std::isnan(y[i]) && std::isnan(expected)))
          << "output " << i << " is " << y[i] << ", expected " << expected;
    }
  }
}

TEST(ReferenceKernels, OrderedAveragePoolKeepsTheOrder) {
  bdnet::PoolGeometry geometry;
  ASSERT_TRUE(bdnet::make_pool_geometry({2, 2}, {1, 3, 3, 1}, &geometry).ok());
  // The first tile sums to 0 + 1e8 + 1 - 1e8 + 3 = 3 from left to right; the others have 2, 2 and 1
  // valid taps.
  const std::vector<float> x{1e8f, 1.0f, 5.0f, -1e8f, 3.0f, 7.0f, 2.0f, 6.0f, 9.0f};
  std::vector<float> y(4);
  bdnet::reference_kernels().ordered_average_pool_rows(geometry, x.data(), y.data(), 0, 2);
  EXPECT_EQ(y, (std::vector<float>{0.75f, 6.0f, 4.0f, 9.0f}));
}

TEST(ReferenceKernels, OrderedAveragePoolDivides) {
  // 5 / 3 is another float than 5 * (1 / 3).
  bdnet::PoolGeometry geometry;
  ASSERT_TRUE(bdnet::make_pool_geometry({1, 3}, {2, 1, 3, 65}, &geometry).ok());
  std::vector<float> x(count(geometry.input), 5.0f);
  std::fill_n(x.begin() + 65, 130, 0.0f);
  std::vector<float> y(count(geometry.output));
  bdnet::reference_kernels().ordered_average_pool_rows(geometry, x.data(), y.data(), 0, 2);
  EXPECT_EQ(y[0], 5.0f / 3.0f);
  EXPECT_EQ(y[64], 5.0f / 3.0f);
  EXPECT_EQ(y[65], 5.0f);
}

}  // namespace
