// Every table of kernels that this processor can run, against the reference: the same bits. A table
// gets these tests by its line in dispatch.cpp. The buffers end where memory ends, see
// guarded_buffer.h, so a kernel that reads or writes past one does not survive.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bdnet/dispatch.h"
#include "kernel_runs.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Kernels;
using bdnet::PoolGeometry;
using bdnet::Sign;

constexpr unsigned kSeed = 20250301;

class EveryKernelTable : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, EveryKernelTable, testing::ValuesIn(bdnet::available_kernels()),
                         [](const auto& table) { return std::string(table.param->isa); });

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::int64_t pick(int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

// Equality of the numerical contract: IEEE ==, NaN equal to NaN.
void expect_equal(const std::vector<float>& expected, const std::vector<float>& got) {
  ASSERT_EQ(expected.size(), got.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(expected[i] == got[i] || (std::isnan(expected[i]) && std::isnan(got[i])))
        << "output " << i << " is " << got[i] << ", expected " << expected[i];
  }
}

// True if the kernel fits into the input.
bool compare_sign_conv(const Kernels& kernels, const ConvAttributes& attributes,
                       std::int64_t filters, const std::vector<std::int64_t>& dims,
                       Random& random) {
  ConvGeometry geometry;
  if (!bdnet::make_conv_geometry(attributes, filters, dims, &geometry).ok()) return false;
  const std::vector<float> x = noise(random.engine(), count(geometry.input));
  const std::vector<Sign> weights = random_weights(random.engine(), attributes, filters);
  expect_equal(run_sign_conv(bdnet::reference_kernels(), geometry, x, weights),
               run_sign_conv(kernels, geometry, x, weights));
  return true;
}

TEST_P(EveryKernelTable, PointwiseOfEveryChannelCount) {
  Random random(kSeed);
  for (std::int64_t channels = 1; channels <= 300; ++channels) {
    SCOPED_TRACE("channels " + std::to_string(channels));
    ConvAttributes a;
    a.channels = channels;
    a.planes = static_cast<int>(channels % 2) + 1;
    ASSERT_TRUE(compare_sign_conv(*GetParam(), a, random.pick(1, 70), {1, 2, 5, channels}, random));
    if (HasFatalFailure()) return;
  }
}

TEST_P(EveryKernelTable, PointwiseOfEveryFilterCountAndWidth) {
  Random random(kSeed);
  for (std::int64_t filters = 1; filters <= 200; ++filters) {
    SCOPED_TRACE("filters " + std::to_string(filters));
    ConvAttributes a;
    a.channels = 40;
    a.planes = static_cast<int>(filters % 2) + 1;
    ASSERT_TRUE(compare_sign_conv(*GetParam(), a, filters, {2, 3, filters % 9 + 1, 40}, random));
    if (HasFatalFailure()) return;
  }
}

TEST_P(EveryKernelTable, DepthwiseOfEveryChannelCount) {
  Random random(kSeed);
  for (std::int64_t channels = 1; channels <= 300; ++channels) {
    for (const std::int64_t kernel : {2, 3}) {
      SCOPED_TRACE("channels " + std::to_string(channels) + " kernel " + std::to_string(kernel));
      ConvAttributes a;
      a.kernel_shape = {kernel, kernel};
      a.strides = {random.pick(1, 2), random.pick(1, 2)};
      a.pads = {1, 1, 1, 1};
      a.group = channels;
      a.pad_value = random.pick(-1, 1);
      a.planes = static_cast<int>(random.pick(1, 2));
      ASSERT_TRUE(compare_sign_conv(*GetParam(), a, channels, {1, 4, 5, channels}, random));
      if (HasFatalFailure()) return;
    }
  }
}

// Around the counts at which vectors, tiles and bytes are full.
TEST_P(EveryKernelTable, SignConvolutionsAroundTheWidthsOfVectors) {
  Random random(kSeed);
  for (const std::int64_t channels : {7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65}) {
    for (const std::int64_t filters : {7, 8, 9, 31, 32, 33, 63, 64, 65}) {
      for (const std::int64_t group : {1, 2, 3}) {
        for (int pad_value = -1; pad_value <= 1; ++pad_value) {
          SCOPED_TRACE("channels " + std::to_string(channels) + " filters " +
                       std::to_string(filters) + " group " + std::to_string(group) + " pad_value " +
                       std::to_string(pad_value));
          ConvAttributes a;
          a.kernel_shape = {3, 3};
          a.pads = {1, 1, 1, 1};
          a.channels = channels;
          a.group = group;
          a.pad_value = pad_value;
          a.planes = static_cast<int>(random.pick(1, 2));
          ASSERT_TRUE(compare_sign_conv(*GetParam(), a, group * filters,
                                        {1, 3, 4, group * channels}, random));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(EveryKernelTable, SignConvolutionsOfRandomShapes) {
  for (unsigned round = 0; round < 1500; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    ConvAttributes a;
    a.kernel_shape = {random.pick(1, 5), random.pick(1, 5)};
    a.strides = {random.pick(1, 3), random.pick(1, 3)};
    a.pads = {random.pick(0, 3), random.pick(0, 3), random.pick(0, 3), random.pick(0, 3)};
    a.dilations = {random.pick(1, 3), random.pick(1, 3)};
    const bool depthwise = random.pick(0, 2) == 0;
    a.channels = depthwise ? 1 : random.pick(1, 70);
    a.group = depthwise ? random.pick(1, 150) : random.pick(1, 3);
    a.pad_value = random.pick(-1, 1);
    a.planes = static_cast<int>(random.pick(1, 2));
    const std::int64_t filters = a.group * (depthwise ? random.pick(1, 2) : random.pick(1, 40));
    compare_sign_conv(
        *GetParam(), a, filters,
        {random.pick(1, 3), random.pick(1, 11), random.pick(1, 11), a.group * a.channels}, random);
    if (HasFatalFailure()) return;
  }
}

// More taps than a byte can sum, and on either side of that.
TEST_P(EveryKernelTable, DepthwiseOfManyTaps) {
  Random random(kSeed);
  for (const std::int64_t width : {126, 127, 128, 129, 254, 255, 300}) {
    SCOPED_TRACE("kernel 1x" + std::to_string(width));
    ConvAttributes a;
    a.kernel_shape = {1, width};
    a.pads = {0, 3, 0, 3};
    a.group = 37;
    a.planes = 2;
    ASSERT_TRUE(compare_sign_conv(*GetParam(), a, 37, {1, 2, width, 37}, random));
    if (HasFatalFailure()) return;
  }
}

// The largest sums, where whatever counts in a byte or a word would run over: every product of one
// filter is +1, of the other -1.
TEST_P(EveryKernelTable, ExtremeSums) {
  for (const std::int64_t size : {127, 128, 248, 255, 256, 257, 32768, 65472, 65536, 131080}) {
    for (const int planes : {1, 2}) {
      for (const bool depthwise : {false, true}) {
        if (depthwise && size > 1000) continue;
        SCOPED_TRACE("size " + std::to_string(size) + " planes " + std::to_string(planes) +
                     (depthwise ? " depth-wise" : " dense"));
        ConvAttributes a;
        a.kernel_shape = {1, depthwise ? size : 1};
        a.channels = depthwise ? 1 : size;
        a.group = depthwise ? 2 : 1;
        a.planes = planes;
        ConvGeometry geometry;
        ASSERT_TRUE(bdnet::make_conv_geometry(
                        a, 2, {1, 1, depthwise ? size : 1, a.group * a.channels}, &geometry)
                        .ok());
        const std::vector<float> x(count(geometry.input), 1.0f);
        std::vector<Sign> weights(static_cast<std::size_t>(2 * size), Sign{1});
        std::fill_n(weights.begin(), size, Sign{-1});
        const float sum = static_cast<float>(size);
        EXPECT_EQ(run_sign_conv(*GetParam(), geometry, x, weights),
                  (std::vector<float>{-sum, sum}));
      }
    }
  }
}

TEST_P(EveryKernelTable, OrderedConvolutionsOfRandomShapes) {
  for (unsigned round = 0; round < 400; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    ConvAttributes a;
    a.kernel_shape = {random.pick(1, 4), random.pick(1, 4)};
    a.strides = {random.pick(1, 3), random.pick(1, 3)};
    a.pads = {random.pick(0, 3), random.pick(0, 3), random.pick(0, 3), random.pick(0, 3)};
    a.dilations = {random.pick(1, 2), random.pick(1, 2)};
    a.channels = random.pick(1, 5);
    const std::int64_t filters = random.pick(1, 140);
    ConvGeometry geometry;
    const bdnet::Status status = bdnet::make_conv_geometry(
        a, filters, {random.pick(1, 2), random.pick(1, 9), random.pick(1, 9), a.channels},
        &geometry);
    if (!status.ok()) continue;  // the kernel is larger than the input
    const std::vector<float> x = noise(random.engine(), count(geometry.input));
    const std::vector<float> weight =
        noise(random.engine(), static_cast<std::size_t>(a.filter_size() * filters));
    expect_equal(run_ordered_conv(bdnet::reference_kernels(), geometry, x, weight),
                 run_ordered_conv(*GetParam(), geometry, x, weight));
    if (HasFatalFailure()) return;
  }
}

TEST_P(EveryKernelTable, OrderedConvolutionRoundsEveryProduct) {
  // (1 + e)^2 - (1 + 2e) is e^2 when the product and the sum are contracted, 0 when they are not.
  const float e = std::numeric_limits<float>::epsilon();
  ConvAttributes a;
  a.channels = 2;
  ConvGeometry geometry;
  ASSERT_TRUE(bdnet::make_conv_geometry(a, 33, {1, 1, 4, 2}, &geometry).ok());
  std::vector<float> x;
  for (int pixel = 0; pixel < 4; ++pixel) x.insert(x.end(), {-(1.0f + 2.0f * e), 1.0f + e});
  std::vector<float> weight(33, 1.0f);
  weight.resize(66, 1.0f + e);
  EXPECT_EQ(run_ordered_conv(*GetParam(), geometry, x, weight),
            std::vector<float>(count(geometry.output), 0.0f));
}

TEST_P(EveryKernelTable, AveragePoolsOfRandomShapes) {
  for (unsigned round = 0; round < 400; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    PoolGeometry geometry;
    ASSERT_TRUE(bdnet::make_pool_geometry(
                    {random.pick(1, 4), random.pick(1, 4)},
                    {random.pick(1, 2), random.pick(1, 9), random.pick(1, 9), random.pick(1, 140)},
                    &geometry)
                    .ok());
    const std::vector<float> x = noise(random.engine(), count(geometry.input));
    expect_equal(run_average_pool(bdnet::reference_kernels(), geometry, x),
                 run_average_pool(*GetParam(), geometry, x));
    if (HasFatalFailure()) return;
  }
}

TEST_P(EveryKernelTable, OrderedStemsOfRandomShapes) {
  for (unsigned round = 0; round < 300; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    ConvAttributes a;
    a.kernel_shape = {random.pick(1, 4), random.pick(1, 4)};
    a.strides = {random.pick(1, 3), random.pick(1, 3)};
    a.pads = {random.pick(0, 3), random.pick(0, 3), random.pick(0, 3), random.pick(0, 3)};
    a.dilations = {random.pick(1, 2), random.pick(1, 2)};
    a.channels = random.pick(1, 5);
    const std::int64_t filters = random.pick(1, 80);
    ConvGeometry geometry;
    const bdnet::Status status = bdnet::make_conv_geometry(
        a, filters, {random.pick(1, 2), random.pick(1, 9), random.pick(1, 19), a.channels},
        &geometry);
    if (!status.ok()) continue;  // the kernel is larger than the input
    const auto floats = [&](std::int64_t size) {
      return noise(random.engine(), static_cast<std::size_t>(size));
    };
    const std::vector<float> image = noise(random.engine(), count(geometry.input));
    const std::vector<float> weight = floats(a.filter_size() * filters);
    const std::vector<float> bn_mul = floats(filters);
    const std::vector<float> bn_add = floats(filters);
    expect_equal(
        run_ordered_stem(bdnet::reference_kernels(), geometry, image, weight, bn_mul, bn_add),
        run_ordered_stem(*GetParam(), geometry, image, weight, bn_mul, bn_add));
    if (HasFatalFailure()) return;
  }
}

// The constants of a unit: finite noise, or in every fourth place the neutral value of an absent part.
std::vector<std::vector<float>> random_constants(Random& random, std::int64_t inputs,
                                                 std::int64_t outputs) {
  constexpr float kNeutral[] = {0, 1, 1, 0, 0, 1, 0};
  std::vector<std::vector<float>> constants;
  for (std::size_t i = 0; i < 7; ++i) {
    const std::int64_t size = i == 0 ? inputs : outputs;
    const std::int64_t tiles = (size + bdnet::kConstantTile - 1) / bdnet::kConstantTile;
    std::vector<float> values(static_cast<std::size_t>(size), kNeutral[i]);
    if (random.pick(0, 3) > 0) values = noise(random.engine(), values.size());
    for (float& value : values) value = std::isfinite(value) ? value : -0.5f;
    values.resize(static_cast<std::size_t>(tiles * bdnet::kConstantTile));
    constants.push_back(values);
  }
  return constants;
}

bdnet::UnitAttributes random_unit(Random& random) {
  return {static_cast<bdnet::Residual>(random.pick(0, 2)), random.pick(0, 2) == 0};
}

// True if the block fits into the input.
bool compare_separable_block(const Kernels& kernels,
                             const bdnet::SeparableBlockAttributes& attributes,
                             const std::vector<std::int64_t>& dims, Random& random) {
  bdnet::SeparableBlockGeometry geometry;
  if (!bdnet::check_separable_block(attributes).ok()) return false;
  if (!bdnet::make_separable_block_geometry(attributes, dims, &geometry).ok()) return false;
  const std::int64_t channels = attributes.pointwise.channels;
  const std::vector<float> x = noise(random.engine(), count(geometry.depthwise.input));
  const BlockData data{random_weights(random.engine(), attributes.depthwise, channels),
                       random_weights(random.engine(), attributes.pointwise, attributes.filters),
                       random_constants(random, channels, channels),
                       random_constants(random, channels, attributes.filters)};
  expect_equal(run_separable_block(bdnet::reference_kernels(), geometry, x, data),
               run_separable_block(kernels, geometry, x, data));
  return true;
}

bdnet::SeparableBlockAttributes random_block(Random& random, std::int64_t channels,
                                             std::int64_t filters) {
  bdnet::SeparableBlockAttributes block;
  block.depthwise.group = channels;
  block.depthwise.planes = static_cast<int>(random.pick(1, 2));
  block.depthwise.pad_value = random.pick(-1, 1);
  block.pointwise.channels = channels;
  block.pointwise.planes = static_cast<int>(random.pick(1, 2));
  block.filters = filters;
  block.depthwise_unit = random_unit(random);
  block.pointwise_unit = random_unit(random);
  block.depthwise.kernel_shape = {3, 3};
  block.depthwise.pads = {1, 1, 1, 1};
  return block;
}

TEST_P(EveryKernelTable, SeparableBlocksOfEveryChannelCount) {
  Random random(kSeed);
  for (std::int64_t channels = 2; channels <= 140; ++channels) {
    for (const std::int64_t filters : {channels, 2 * channels, channels + random.pick(0, 70)}) {
      SCOPED_TRACE("channels " + std::to_string(channels) + " filters " + std::to_string(filters));
      bdnet::SeparableBlockAttributes block = random_block(random, channels, filters);
      block.depthwise.strides = {random.pick(1, 2), random.pick(1, 2)};
      ASSERT_TRUE(compare_separable_block(
          *GetParam(), block, {1, random.pick(1, 6), random.pick(1, 11), channels}, random));
      if (HasFatalFailure()) return;
    }
  }
}

// More words than are summed in a byte at once, and all the shapes of MobileNet V1's blocks.
TEST_P(EveryKernelTable, SeparableBlocksOfManyChannels) {
  Random random(kSeed);
  for (const std::int64_t channels : {240, 248, 256, 257, 496, 512, 1000, 1024, 2100}) {
    SCOPED_TRACE("channels " + std::to_string(channels));
    const bdnet::SeparableBlockAttributes block = random_block(random, channels, channels + 33);
    ASSERT_TRUE(compare_separable_block(*GetParam(), block, {1, 2, 5, channels}, random));
    if (HasFatalFailure()) return;
  }
}

TEST_P(EveryKernelTable, SeparableBlocksOfRandomShapes) {
  int compared = 0;
  for (unsigned round = 0; round < 1500; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    const std::int64_t channels = random.pick(2, 80);
    bdnet::SeparableBlockAttributes block =
        random_block(random, channels, std::max<std::int64_t>(1, random.pick(-3, 100) + channels));
    if (random.pick(0, 2) > 0) {
      // Residuals ask for pads that keep the size; these need not.
      block.depthwise_unit.residual = bdnet::Residual::kNone;
      block.depthwise.kernel_shape = {random.pick(1, 5), random.pick(1, 5)};
      block.depthwise.pads = {random.pick(0, 3), random.pick(0, 3), random.pick(0, 3),
                              random.pick(0, 3)};
      block.depthwise.dilations = {random.pick(1, 3), random.pick(1, 3)};
    }
    block.depthwise.strides = {random.pick(1, 3), random.pick(1, 3)};
    compared += compare_separable_block(
        *GetParam(), block, {random.pick(1, 3), random.pick(1, 9), random.pick(1, 17), channels},
        random);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared, 500);
}

}  // namespace
