// Convolutions of signs on every instruction set.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel_comparison.h"
#include "kernel_grids.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Kernels;
using bdnet::Sign;

// True if the kernel fits into the input.
bool compare_sign_conv(const Kernels& kernels, const ConvAttributes& attributes,
                       std::int64_t filters, const std::vector<std::int64_t>& dims,
                       Random& random) {
  ConvGeometry geometry;
  if (!bdnet::make_conv_geometry(attributes, filters, dims, &geometry).ok()) return false;
  const std::vector<float> x = noise(random.engine(), count(geometry.input));
  const std::vector<Sign> weights = random_weights(random.engine(), attributes, filters);
  expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
    return run_sign_conv(table, geometry, x, weights, placement);
  });
  return true;
}

// Depth-wise, dense, and in groups: of several filters, and of so few that a table may have no
// kernel of its own for them.
enum class Kind { kDepthwise, kDense, kGroups, kSmallGroups };

void set_kind(Kind kind, std::int64_t channels, std::int64_t filters, ConvAttributes* attributes,
              std::int64_t* filter_count) {
  const bool depthwise = kind == Kind::kDepthwise;
  const std::int64_t groups = depthwise ? channels : kind == Kind::kDense ? 1 : 3;
  attributes->channels = depthwise ? 1 : channels;
  attributes->group = groups;
  *filter_count = groups * (depthwise ? 1 : kind == Kind::kSmallGroups ? filters % 7 + 1 : filters);
}

}  // namespace

// A convolution whose weights are those of the identity shows the signs themselves, and the padding
// around them.
void compare_binarise_rows(const Kernels& kernels) {
  Random random(kSeed);
  for (std::int64_t channels = 1; channels <= 140; ++channels) {
    for (const bool depthwise : {false, true}) {
      for (int pad_value = -1; pad_value <= 1; ++pad_value) {
        SCOPED_TRACE("channels " + std::to_string(channels) + (depthwise ? " depth-wise" : "") +
                     " pad_value " + std::to_string(pad_value));
        ConvAttributes a;
        a.pads = {random.pick(0, 2), random.pick(0, 2), random.pick(0, 2), random.pick(0, 2)};
        a.channels = depthwise ? 1 : channels;
        a.group = depthwise ? channels : 1;
        a.pad_value = pad_value;
        a.planes = 2;
        std::vector<Sign> identity(static_cast<std::size_t>(channels * a.channels), Sign{0});
        for (std::int64_t c = 0; c < channels; ++c) {
          identity[static_cast<std::size_t>(depthwise ? c : c * channels + c)] = Sign{1};
        }
        ConvGeometry geometry;
        ASSERT_TRUE(bdnet::make_conv_geometry(
                        a, channels,
                        {random.pick(1, 2), random.pick(1, 3), random.pick(1, 5), channels},
                        &geometry)
                        .ok());
        const std::vector<float> x = noise(random.engine(), count(geometry.input));
        expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
          return run_sign_conv(table, geometry, x, identity, placement);
        });
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

void compare_sign_conv_rows(const Kernels& kernels) {
  Random random(kSeed);
  Wheel channels(kTails);
  Wheel filters(std::array<std::int64_t, 13>{1, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 97});
  Wheel widths(std::array<std::int64_t, 11>{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 17});
  const std::array<std::int64_t, 2> kernel_shapes[] = {{1, 1}, {3, 3}, {2, 1}, {1, 3}};
  const std::array<std::int64_t, 4> all_pads[] = {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 0, 1, 3}};
  int compared = 0;
  for (const Kind kind : {Kind::kDepthwise, Kind::kDense, Kind::kGroups, Kind::kSmallGroups}) {
    for (const auto& kernel_shape : kernel_shapes) {
      for (const auto& pads : all_pads) {
        for (int pad_value = -1; pad_value <= 1; ++pad_value) {
          for (int planes = 1; planes <= 2; ++planes) {
            for (int i = 0; i < 8; ++i) {
              ConvAttributes a;
              a.kernel_shape = kernel_shape;
              a.strides = {i % 2 + 1, i / 2 % 2 + 1};
              a.dilations = {i / 4 + 1, i / 4 + 1};
              a.pads = pads;
              a.pad_value = pad_value;
              a.planes = planes;
              std::int64_t filter_count = 0;
              set_kind(kind, channels.turn(), filters.turn(), &a, &filter_count);
              const std::vector<std::int64_t> dims{1, random.pick(1, 4), widths.turn(),
                                                   a.group * a.channels};
              SCOPED_TRACE("input " + testing::PrintToString(dims) + " filters " +
                           std::to_string(filter_count) + " group " + std::to_string(a.group) +
                           " kernel " + testing::PrintToString(kernel_shape) + " pads " +
                           testing::PrintToString(pads) + " pad_value " +
                           std::to_string(pad_value) + " planes " + std::to_string(planes) +
                           " strides " + testing::PrintToString(a.strides) + " dilation " +
                           std::to_string(a.dilations[0]));
              compared += compare_sign_conv(kernels, a, filter_count, dims, random);
              if (testing::Test::HasFatalFailure()) return;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 1500);
}

namespace {

class SignConvKernels : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, SignConvKernels, every_isa(), isa_of);

TEST_P(SignConvKernels, PointwiseOfEveryChannelCount) {
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

TEST_P(SignConvKernels, PointwiseOfEveryFilterCountAndWidth) {
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

TEST_P(SignConvKernels, DepthwiseOfEveryChannelCount) {
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

TEST_P(SignConvKernels, RandomShapes) {
  for (unsigned round = 0; round < 1000; ++round) {
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
TEST_P(SignConvKernels, DepthwiseOfManyTaps) {
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
TEST_P(SignConvKernels, ExtremeSums) {
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

}  // namespace
