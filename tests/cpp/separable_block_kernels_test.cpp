// The fused block on every instruction set.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel_comparison.h"
#include "kernel_grids.h"

namespace {

using bdnet::Kernels;
using bdnet::Residual;
using bdnet::SeparableBlockAttributes;
using bdnet::SeparableBlockGeometry;

// The constants of a unit: finite noise, or in every fourth place the neutral value of an absent
// part.
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

// True if the block fits into the input.
bool compare_separable_block(const Kernels& kernels, const SeparableBlockAttributes& attributes,
                             const std::vector<std::int64_t>& dims, Random& random) {
  SeparableBlockGeometry geometry;
  if (!bdnet::check_separable_block(attributes).ok()) return false;
  if (!bdnet::make_separable_block_geometry(attributes, dims, &geometry).ok()) return false;
  const std::int64_t channels = attributes.pointwise.channels;
  const std::vector<float> x = noise(random.engine(), count(geometry.depthwise.input));
  const BlockData data{random_weights(random.engine(), attributes.depthwise, channels),
                       random_weights(random.engine(), attributes.pointwise, attributes.filters),
                       random_constants(random, channels, channels),
                       random_constants(random, channels, attributes.filters)};
  expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
    return run_separable_block(table, geometry, x, data, placement);
  });
  return true;
}

SeparableBlockAttributes make_block(std::int64_t channels, std::int64_t filters) {
  SeparableBlockAttributes block;
  block.depthwise.group = channels;
  block.depthwise.kernel_shape = {3, 3};
  block.depthwise.pads = {1, 1, 1, 1};
  block.pointwise.channels = channels;
  block.filters = filters;
  return block;
}

bdnet::UnitAttributes random_unit(Random& random) {
  return {static_cast<Residual>(random.pick(0, 2)), random.pick(0, 2) == 0};
}

SeparableBlockAttributes random_block(Random& random, std::int64_t channels, std::int64_t filters) {
  SeparableBlockAttributes block = make_block(channels, filters);
  block.depthwise.planes = static_cast<int>(random.pick(1, 2));
  block.depthwise.pad_value = random.pick(-1, 1);
  block.pointwise.planes = static_cast<int>(random.pick(1, 2));
  block.depthwise_unit = random_unit(random);
  block.pointwise_unit = random_unit(random);
  return block;
}

std::string describe(const SeparableBlockAttributes& block, const std::vector<std::int64_t>& dims) {
  const auto unit = [](const bdnet::UnitAttributes& attributes) {
    return std::to_string(static_cast<int>(attributes.residual)) +
           (attributes.rectify ? " with ReLU" : "");
  };
  return "input " + testing::PrintToString(dims) + " filters " + std::to_string(block.filters) +
         " residuals " + unit(block.depthwise_unit) + " and " + unit(block.pointwise_unit) +
         " planes " + std::to_string(block.depthwise.planes) + " and " +
         std::to_string(block.pointwise.planes) + " pad_value " +
         std::to_string(block.depthwise.pad_value) + " strides " +
         testing::PrintToString(block.depthwise.strides);
}

// Every combination of attributes, with tails that go round.
void compare_every_attribute(const Kernels& kernels) {
  Random random(kSeed);
  Wheel channel_counts(
      std::array<std::int64_t, 13>{2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65});
  Wheel more_filters(std::array<std::int64_t, 7>{0, 1, 0, 15, 16, 31, 32});
  Wheel widths(std::array<std::int64_t, 11>{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 17});
  for (int i = 0; i < 3 * 3 * 2 * 2 * 2 * 2 * 3 * 4; ++i) {
    int rest = i;
    const auto take = [&rest](int choices) {
      const int choice = rest % choices;
      rest /= choices;
      return choice;
    };
    const std::int64_t channels = channel_counts.turn();
    const bool doubled = take(2) != 0;
    SeparableBlockAttributes block =
        make_block(channels, doubled ? 2 * channels : channels + more_filters.turn());
    block.depthwise_unit = {static_cast<Residual>(take(3)), take(2) != 0};
    block.pointwise_unit = {static_cast<Residual>(take(3)), take(2) != 0};
    block.depthwise.planes = take(2) + 1;
    block.depthwise.strides = {take(2) + 1, take(2) + 1};
    block.depthwise.pad_value = take(3) - 1;
    block.pointwise.planes = take(2) + 1;
    const std::vector<std::int64_t> dims{random.pick(1, 2), random.pick(1, 6), widths.turn(),
                                         channels};
    SCOPED_TRACE(describe(block, dims));
    ASSERT_TRUE(compare_separable_block(kernels, block, dims, random));
    if (testing::Test::HasFatalFailure()) return;
  }
}

// Every combination of tails, with attributes at random.
void compare_every_tail(const Kernels& kernels) {
  Random random(kSeed);
  for (const std::int64_t channels : kTails) {
    if (channels < bdnet::kFewestBlockChannels) continue;
    for (const std::int64_t filters : {channels, channels + 1, 2 * channels, channels + 40}) {
      for (const std::int64_t width : {1, 2, 3, 4, 5, 7, 8, 9, 17}) {
        SeparableBlockAttributes block = random_block(random, channels, filters);
        block.depthwise.strides = {random.pick(1, 2), random.pick(1, 2)};
        const std::vector<std::int64_t> dims{1, random.pick(1, 5), width, channels};
        SCOPED_TRACE(describe(block, dims));
        ASSERT_TRUE(compare_separable_block(kernels, block, dims, random));
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace

void compare_separable_block_rows(const Kernels& kernels) {
  compare_every_attribute(kernels);
  if (!testing::Test::HasFatalFailure()) compare_every_tail(kernels);
}

namespace {

class SeparableBlockKernels : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, SeparableBlockKernels, every_isa(), isa_of);

// More words than are summed in a byte at once, and all the shapes of MobileNet V1's blocks.
TEST_P(SeparableBlockKernels, ManyChannels) {
  Random random(kSeed);
  for (const std::int64_t channels : {240, 248, 256, 257, 496, 512, 1000, 1024, 2100}) {
    SCOPED_TRACE("channels " + std::to_string(channels));
    const SeparableBlockAttributes block = random_block(random, channels, channels + 33);
    ASSERT_TRUE(compare_separable_block(*GetParam(), block, {1, 2, 5, channels}, random));
    if (HasFatalFailure()) return;
  }
}

TEST_P(SeparableBlockKernels, RandomShapes) {
  int compared = 0;
  for (unsigned round = 0; round < 800; ++round) {
    Random random(kSeed + round);
    SCOPED_TRACE("seed " + std::to_string(kSeed + round));
    const std::int64_t channels = random.pick(2, 80);
    SeparableBlockAttributes block =
        random_block(random, channels, std::max<std::int64_t>(1, random.pick(-3, 100) + channels));
    if (random.pick(0, 2) > 0) {
      // Residuals ask for pads that keep the size; these need not.
      block.depthwise_unit.residual = Residual::kNone;
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
  EXPECT_GT(compared, 300);
}

}  // namespace
