#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernel_runs.h"

// Kernels against the reference: the same bits, wherever the buffers lie.

inline constexpr unsigned kSeed = 20250301;

// The counts around which bytes, vectors and tiles are full.
inline constexpr std::array<std::int64_t, 19> kTails{1,  2,  3,  7,  8,  9,  15, 16,  17, 31,
                                                     32, 33, 47, 48, 63, 64, 65, 127, 129};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::int64_t pick(int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  std::vector<float> floats(std::int64_t size) {
    return noise(engine_, static_cast<std::size_t>(size));
  }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

// Goes round a list. Wheels whose lengths have no common divisor, turned together, meet in every
// combination: thus a grid of attributes takes in tails without the product of both.
template <std::size_t N>
class Wheel {
 public:
  explicit Wheel(const std::array<std::int64_t, N>& values) : values_(values) {}
  std::int64_t turn() { return values_[next_++ % N]; }

 private:
  std::array<std::int64_t, N> values_;
  std::size_t next_ = 0;
};

// run(kernels, placement) of `kernels`, wherever the buffers lie, and of the reference: equal in
// the sense of the numerical contract, IEEE == and NaN equal to NaN.
template <typename Run>
void expect_bits_of_reference(const bdnet::Kernels& kernels, const Run& run) {
  const std::vector<float> expected = run(bdnet::reference_kernels(), Placement::kBeforeGuard);
  for (const Placement placement : kPlacements) {
    const std::vector<float> got = run(kernels, placement);
    ASSERT_EQ(expected.size(), got.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (expected[i] == got[i] || (std::isnan(expected[i]) && std::isnan(got[i]))) continue;
      FAIL() << "output " << i << " is " << got[i] << ", expected " << expected[i] << "; "
             << name_of(placement);
    }
  }
}
