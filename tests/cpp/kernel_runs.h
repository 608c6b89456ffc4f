#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include "bdnet/kernels.h"
#include "guarded_buffer.h"

// Kernels run as the adapter runs them, on buffers that they must not leave.

inline std::size_t count(const bdnet::Shape4& shape) {
  return static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
}

// Normal floats, and in every sixteenth place a special one.
inline std::vector<float> noise(std::mt19937& random, std::size_t size) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float special[] = {0.0f, -0.0f, 1e-45f, -1e-45f, std::nanf(""), kInfinity, -kInfinity};
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values) {
    value = random() % 16 == 0 ? special[random() % std::size(special)] : normal(random);
  }
  return values;
}

// Weights of -1 and +1, and 0 if there are two planes.
inline std::vector<bdnet::Sign> random_weights(std::mt19937& random,
                                               const bdnet::ConvAttributes& attributes,
                                               std::int64_t filters) {
  std::vector<bdnet::Sign> weights(static_cast<std::size_t>(filters * attributes.filter_size()));
  for (bdnet::Sign& weight : weights) {
    const auto value = static_cast<int>(random() % (attributes.planes == 2 ? 3 : 2));
    weight = static_cast<bdnet::Sign>(attributes.planes == 2 ? value - 1 : 2 * value - 1);
  }
  return weights;
}

// In two parts, as two threads would, the later one first.
template <typename Rows>
void run_in_parts(std::int64_t rows, const Rows& run) {
  run(rows / 3, rows);
  run(0, rows / 3);
}

inline std::vector<float> run_sign_conv(const bdnet::Kernels& kernels,
                                        const bdnet::ConvGeometry& geometry,
                                        const std::vector<float>& x,
                                        const std::vector<bdnet::Sign>& weights) {
  const GuardedBuffer<float> input(x);
  const GuardedBuffer<bdnet::Sign> filters(weights);
  const GuardedBuffer<std::byte> tiled(
      static_cast<std::size_t>(kernels.tiled_bytes(geometry.attributes, geometry.filters)));
  const GuardedBuffer<std::byte> signs(static_cast<std::size_t>(kernels.sign_bytes(geometry)));
  const GuardedBuffer<float> y(count(geometry.output));
  tiled.fill(std::byte{99});
  signs.fill(std::byte{99});
  y.fill(99.0f);
  kernels.tile_sign_filters(geometry.attributes, geometry.filters, filters.data(), tiled.data());
  run_in_parts(geometry.input[0] * geometry.padded[0], [&](std::int64_t begin, std::int64_t end) {
    kernels.binarise_rows(geometry, input.data(), signs.data(), begin, end);
  });
  run_in_parts(geometry.output[0] * geometry.output[1], [&](std::int64_t begin, std::int64_t end) {
    kernels.sign_conv_rows(geometry, signs.data(), tiled.data(), y.data(), begin, end);
  });
  return y.values();
}

inline std::vector<float> run_ordered_conv(const bdnet::Kernels& kernels,
                                           const bdnet::ConvGeometry& geometry,
                                           const std::vector<float>& x,
                                           const std::vector<float>& weight) {
  const GuardedBuffer<float> input(x);
  const GuardedBuffer<float> filters(weight);
  const GuardedBuffer<float> y(count(geometry.output));
  y.fill(99.0f);
  run_in_parts(geometry.output[0] * geometry.output[1], [&](std::int64_t begin, std::int64_t end) {
    kernels.ordered_conv_rows(geometry, input.data(), filters.data(), y.data(), begin, end);
  });
  return y.values();
}

inline std::vector<float> run_average_pool(const bdnet::Kernels& kernels,
                                           const bdnet::PoolGeometry& geometry,
                                           const std::vector<float>& x) {
  const GuardedBuffer<float> input(x);
  const GuardedBuffer<float> y(count(geometry.output));
  y.fill(99.0f);
  run_in_parts(geometry.output[0] * geometry.output[1], [&](std::int64_t begin, std::int64_t end) {
    kernels.ordered_average_pool_rows(geometry, input.data(), y.data(), begin, end);
  });
  return y.values();
}
