// Linear layers of signs on every instruction set.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel_comparison.h"
#include "kernel_grids.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::Kernels;
using bdnet::Sign;
using bdnet::SignLinear;

void compare_linear(const Kernels& kernels, const SignLinear& linear, std::int64_t rows,
                    Random& random) {
  SCOPED_TRACE("rows " + std::to_string(rows) + " inputs " + std::to_string(linear.inputs) +
               " outputs " + std::to_string(linear.outputs) + " planes " +
               std::to_string(linear.planes));
  ConvAttributes packed;  // a convolution of one tap
  packed.channels = linear.inputs;
  packed.planes = linear.planes;
  const std::vector<float> x = random.floats(rows * linear.inputs);
  const std::vector<Sign> weights = random_weights(random.engine(), packed, linear.outputs);
  expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
    return run_sign_linear(table, linear, rows, x, weights, placement);
  });
}

}  // namespace

// With the weights of the identity the layer shows the signs themselves.
void compare_binarise_linear_rows(const Kernels& kernels) {
  Random random(kSeed);
  for (std::int64_t inputs = 1; inputs <= 140; ++inputs) {
    SCOPED_TRACE("inputs " + std::to_string(inputs));
    std::vector<Sign> identity(static_cast<std::size_t>(inputs * inputs), Sign{0});
    for (std::int64_t c = 0; c < inputs; ++c) {
      identity[static_cast<std::size_t>(c * inputs + c)] = Sign{1};
    }
    const std::int64_t rows = random.pick(1, 5);
    const std::vector<float> x = random.floats(rows * inputs);
    expect_bits_of_reference(kernels, [&](const Kernels& table, Placement placement) {
      return run_sign_linear(table, {inputs, inputs, 2}, rows, x, identity, placement);
    });
    if (testing::Test::HasFatalFailure()) return;
  }
}

void compare_sign_linear_parts(const Kernels& kernels) {
  Random random(kSeed);
  Wheel outputs(std::array<std::int64_t, 17>{1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128,
                                             129, 191, 200});
  for (int planes = 1; planes <= 2; ++planes) {
    for (std::int64_t rows = 1; rows <= 9; ++rows) {
      for (const std::int64_t inputs : kTails) {
        compare_linear(kernels, {inputs, outputs.turn(), planes}, rows, random);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
    for (std::int64_t inputs = 1; inputs <= 600; inputs += 7) {
      compare_linear(kernels, {inputs, outputs.turn(), planes}, random.pick(1, 5), random);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

namespace {

class SignLinearKernels : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, SignLinearKernels, every_isa(), isa_of);

// Where whatever counts in a byte or a word would run over: every product of one filter is +1, of
// the other -1.
TEST_P(SignLinearKernels, ExtremeSums) {
  for (const std::int64_t inputs :
       {127, 128, 248, 255, 256, 257, 496, 504, 512, 32768, 65472, 65536, 131080}) {
    for (int planes = 1; planes <= 2; ++planes) {
      for (const std::int64_t rows : {1, 3}) {
        SCOPED_TRACE("inputs " + std::to_string(inputs) + " planes " + std::to_string(planes));
        const std::vector<float> x(static_cast<std::size_t>(rows * inputs), 1.0f);
        std::vector<Sign> weights(static_cast<std::size_t>(2 * inputs), Sign{1});
        std::fill_n(weights.begin(), inputs, Sign{-1});
        std::vector<float> expected;
        for (std::int64_t row = 0; row < rows; ++row) {
          expected.push_back(static_cast<float>(-inputs));
          expected.push_back(static_cast<float>(inputs));
        }
        EXPECT_EQ(run_sign_linear(*GetParam(), {inputs, 2, planes}, rows, x, weights), expected);
      }
    }
  }
}

TEST(SignLinear, WhatDoesNotFitIsRefused) {
  SignLinear linear;
  EXPECT_TRUE(bdnet::make_sign_linear(9, 1, {5, 2}, &linear).ok());
  EXPECT_EQ(linear.outputs, 5);
  EXPECT_FALSE(bdnet::make_sign_linear(9, 1, {5, 3}, &linear).ok());
  EXPECT_FALSE(bdnet::make_sign_linear(9, 2, {5, 2}, &linear).ok());
  EXPECT_FALSE(bdnet::make_sign_linear(std::int64_t{1} << 24, 1, {5, 1 << 21}, &linear).ok());
  ASSERT_TRUE(bdnet::make_sign_linear(9, 2, {2, 5, 2}, &linear).ok());

  std::int64_t rows = -1;
  EXPECT_TRUE(bdnet::count_linear_rows(linear, {9}, &rows).ok());
  EXPECT_EQ(rows, 1);
  EXPECT_TRUE(bdnet::count_linear_rows(linear, {2, 3, 9}, &rows).ok());
  EXPECT_EQ(rows, 6);
  EXPECT_TRUE(bdnet::count_linear_rows(linear, {4, 0, 9}, &rows).ok());
  EXPECT_EQ(rows, 0);
  EXPECT_FALSE(bdnet::count_linear_rows(linear, {}, &rows).ok());
  EXPECT_EQ(bdnet::count_linear_rows(linear, {9, 8}, &rows).message(),
            "the input has the shape 9x8, expected 9 values in the last dimension");
  constexpr std::int64_t kMany = std::int64_t{1} << 40;
  EXPECT_FALSE(bdnet::count_linear_rows(linear, {kMany, kMany, 9}, &rows).ok());
  EXPECT_FALSE(bdnet::count_linear_rows(linear, {std::int64_t{1} << 60, 9}, &rows).ok());
}

}  // namespace
