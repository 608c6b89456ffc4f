// Sums of floats in one order on every instruction set: convolutions, stems, pools.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernel_comparison.h"
#include "kernel_grids.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Kernels;
using bdnet::PoolGeometry;

void compare_ordered_conv(const Kernels& kernels, const ConvGeometry& geometry, Random& random) {
  const std::vector<float> x = noise(random.engine(), count(geometry.input));
  const std::vector<float> weight =
      random.floats(geometry.attributes.filter_size() * geometry.filters);
  expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
    return run_ordered_conv(table, geometry, x, weight, placement);
  });
}

void compare_ordered_stem(const Kernels& kernels, const ConvGeometry& geometry, Random& random) {
  const std::vector<float> image = noise(random.engine(), count(geometry.input));
  const StemData data{random.floats(geometry.attributes.filter_size() * geometry.filters),
                      random.floats(geometry.filters), random.floats(geometry.filters)};
  expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
    return run_ordered_stem(table, geometry, image, data, placement);
  });
}

using Compare = void (*)(const Kernels&, const ConvGeometry&, Random&);

// False if the kernel does not fit into the input.
bool compare_one(const Kernels& kernels, Compare compare, const ConvAttributes& a,
                 std::int64_t filters, const std::vector<std::int64_t>& dims, Random& random) {
  ConvGeometry geometry;
  if (!bdnet::make_conv_geometry(a, filters, dims, &geometry).ok()) return false;
  compare(kernels, geometry, random);
  return true;
}

void compare_grid(const Kernels& kernels, Compare compare) {
  Random random(kSeed);
  Wheel widths(std::array<std::int64_t, 13>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 19});
  const std::array<std::int64_t, 2> kernel_shapes[] = {{1, 1}, {3, 3}, {2, 1}, {1, 4}};
  const std::array<std::int64_t, 4> all_pads[] = {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 0, 1, 3}};
  int compared = 0;
  for (const auto& kernel_shape : kernel_shapes) {
    for (const auto& pads : all_pads) {
      for (const std::int64_t channels : {1, 3, 4}) {
        for (const std::int64_t filters : kTails) {
          ConvAttributes a;
          a.kernel_shape = kernel_shape;
          a.strides = {random.pick(1, 3), random.pick(1, 3)};
          a.dilations = {random.pick(1, 2), random.pick(1, 2)};
          a.pads = pads;
          a.channels = channels;
          const std::vector<std::int64_t> dims{random.pick(1, 2), random.pick(2, 6), widths.turn(),
                                               channels};
          SCOPED_TRACE("input " + testing::PrintToString(dims) + " filters " +
                       std::to_string(filters) + " kernel " + testing::PrintToString(kernel_shape) +
                       " pads " + testing::PrintToString(pads) + " strides " +
                       testing::PrintToString(a.strides) + " dilations " +
                       testing::PrintToString(a.dilations));
          compared += compare_one(kernels, compare, a, filters, dims, random);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
  EXPECT_GT(compared, 400);
}

void compare_random_shapes(const Kernels& kernels, Compare compare) {
  for (unsigned round = 0; round < 300; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    ConvAttributes a;
    a.kernel_shape = {random.pick(1, 4), random.pick(1, 4)};
    a.strides = {random.pick(1, 3), random.pick(1, 3)};
    a.pads = {random.pick(0, 3), random.pick(0, 3), random.pick(0, 3), random.pick(0, 3)};
    a.dilations = {random.pick(1, 2), random.pick(1, 2)};
    a.channels = random.pick(1, 5);
    const std::int64_t filters = random.pick(1, 140);
    compare_one(kernels, compare, a, filters,
                {random.pick(1, 2), random.pick(1, 9), random.pick(1, 19), a.channels}, random);
    if (testing::Test::HasFatalFailure()) return;
  }
}

void compare_pool(const Kernels& kernels, const std::array<std::int64_t, 2>& kernel_shape,
                  const std::vector<std::int64_t>& dims, Random& random) {
  PoolGeometry geometry;
  ASSERT_TRUE(bdnet::make_pool_geometry(kernel_shape, dims, &geometry).ok());
  const std::vector<float> x = noise(random.engine(), count(geometry.input));
  expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
    return run_average_pool(table, geometry, x, placement);
  });
}

}  // namespace

void compare_ordered_conv_rows(const Kernels& kernels) {
  compare_grid(kernels, compare_ordered_conv);
}

void compare_ordered_stem_rows(const Kernels& kernels) {
  compare_grid(kernels, compare_ordered_stem);
}

void compare_ordered_average_pool_rows(const Kernels& kernels) {
  Random random(kSeed);
  for (std::int64_t kernel_height = 1; kernel_height <= 3; ++kernel_height) {
    for (std::int64_t kernel_width = 1; kernel_width <= 3; ++kernel_width) {
      for (const std::int64_t channels : kTails) {
        for (std::int64_t width = 1; width <= 7; ++width) {
          const std::vector<std::int64_t> dims{1, random.pick(1, 7), width, channels};
          SCOPED_TRACE("input " + testing::PrintToString(dims) + " kernel " +
                       std::to_string(kernel_height) + "x" + std::to_string(kernel_width));
          compare_pool(kernels, {kernel_height, kernel_width}, dims, random);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

namespace {

class OrderedKernels : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, OrderedKernels, every_isa(), isa_of);

TEST_P(OrderedKernels, ConvolutionsOfRandomShapes) {
  compare_random_shapes(*GetParam(), compare_ordered_conv);
}

TEST_P(OrderedKernels, StemsOfRandomShapes) {
  compare_random_shapes(*GetParam(), compare_ordered_stem);
}

TEST_P(OrderedKernels, PoolsOfRandomShapes) {
  for (unsigned round = 0; round < 300; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    compare_pool(*GetParam(), {random.pick(1, 5), random.pick(1, 5)},
                 {random.pick(1, 3), random.pick(1, 9), random.pick(1, 9), random.pick(1, 140)},
                 random);
    if (HasFatalFailure()) return;
  }
}

TEST_P(OrderedKernels, ConvolutionRoundsEveryProduct) {
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

}  // namespace
