#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
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

inline std::vector<float> run_ordered_stem(const bdnet::Kernels& kernels,
                                           const bdnet::ConvGeometry& geometry,
                                           const std::vector<float>& image,
                                           const std::vector<float>& weight,
                                           const std::vector<float>& bn_mul,
                                           const std::vector<float>& bn_add) {
  const GuardedBuffer<float> input(image);
  const GuardedBuffer<float> filters(weight);
  const GuardedBuffer<float> mul(bn_mul);
  const GuardedBuffer<float> add(bn_add);
  const GuardedBuffer<float> y(count(geometry.output));
  y.fill(99.0f);
  run_in_parts(geometry.output[0] * geometry.output[1], [&](std::int64_t begin, std::int64_t end) {
    kernels.ordered_stem_rows(geometry, input.data(), filters.data(), mul.data(), add.data(),
                              y.data(), begin, end);
  });
  return y.values();
}

// A block's weights before any table arranges them.
struct BlockData {
  std::vector<bdnet::Sign> depthwise;
  std::vector<bdnet::Sign> pointwise;
  // Padded, in the order of UnitConstants' members.
  std::vector<std::vector<float>> depthwise_constants;
  std::vector<std::vector<float>> pointwise_constants;
};

// Memory as the adapter gives it: the end is guarded, the beginning on a cache line.
class AlignedGuardedBytes {
 public:
  explicit AlignedGuardedBytes(std::int64_t bytes)
      : buffer_((static_cast<std::size_t>(bytes) + 63) / 64 * 64) {
    buffer_.fill(std::byte{99});
  }
  std::byte* data() const noexcept { return buffer_.data(); }

 private:
  GuardedBuffer<std::byte> buffer_;
};

inline std::vector<GuardedBuffer<float>*> guard(
    const std::vector<std::vector<float>>& constants,
    std::vector<std::unique_ptr<GuardedBuffer<float>>>& owner) {
  std::vector<GuardedBuffer<float>*> guarded;
  for (const std::vector<float>& values : constants) {
    owner.push_back(std::make_unique<GuardedBuffer<float>>(values));
    guarded.push_back(owner.back().get());
  }
  return guarded;
}

inline bdnet::UnitConstants unit_constants(const std::vector<GuardedBuffer<float>*>& all) {
  return {all[0]->data(), all[1]->data(), all[2]->data(), all[3]->data(),
          all[4]->data(), all[5]->data(), all[6]->data()};
}

// In parts as two threads would, one of them row by row with what the row before has left.
inline std::vector<float> run_separable_block(const bdnet::Kernels& kernels,
                                              const bdnet::SeparableBlockGeometry& geometry,
                                              const std::vector<float>& x, const BlockData& data) {
  const bdnet::ConvGeometry& depthwise = geometry.depthwise;
  const bdnet::ConvGeometry& pointwise = geometry.pointwise;
  const GuardedBuffer<float> input(x);
  const AlignedGuardedBytes depthwise_tiled(
      kernels.tiled_bytes(depthwise.attributes, depthwise.filters));
  const AlignedGuardedBytes pointwise_tiled(
      kernels.tiled_bytes(pointwise.attributes, pointwise.filters));
  kernels.tile_sign_filters(depthwise.attributes, depthwise.filters, data.depthwise.data(),
                            depthwise_tiled.data());
  kernels.tile_sign_filters(pointwise.attributes, pointwise.filters, data.pointwise.data(),
                            pointwise_tiled.data());
  std::vector<std::unique_ptr<GuardedBuffer<float>>> owner;
  const bdnet::SeparableBlockWeights weights{
      depthwise_tiled.data(), pointwise_tiled.data(),
      unit_constants(guard(data.depthwise_constants, owner)),
      unit_constants(guard(data.pointwise_constants, owner))};
  const GuardedBuffer<float> y(count(pointwise.output));
  y.fill(99.0f);
  const std::int64_t rows = pointwise.output[0] * pointwise.output[1];
  const std::int64_t bytes = kernels.separable_block_scratch_bytes(geometry);
  const AlignedGuardedBytes first(bytes);
  const AlignedGuardedBytes second(bytes);
  kernels.separable_block_rows(geometry, weights, input.data(), y.data(), second.data(), false,
                               rows / 3, rows);
  for (std::int64_t row = 0; row < rows / 3; ++row) {
    kernels.separable_block_rows(geometry, weights, input.data(), y.data(), first.data(), row > 0,
                                 row, row + 1);
  }
  return y.values();
}
