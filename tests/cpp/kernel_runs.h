#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bdnet/dispatch.h"
#include "guarded_buffer.h"

// Kernels run as the adapter runs them, on buffers that they must not leave.

// The parameters of a test that runs once for each instruction set, and their names.
inline auto every_isa() { return testing::ValuesIn(bdnet::available_kernels()); }
inline std::string isa_of(const testing::TestParamInfo<const bdnet::Kernels*>& info) {
  return info.param->isa;
}

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
                                        const std::vector<bdnet::Sign>& weights,
                                        Placement placement = Placement::kBeforeGuard) {
  const GuardedBuffer<float> input(x, placement);
  const GuardedBuffer<bdnet::Sign> filters(weights, placement);
  const GuardedBuffer<std::byte> tiled(
      static_cast<std::size_t>(kernels.tiled_bytes(geometry.attributes, geometry.filters)),
      placement);
  const GuardedBuffer<std::byte> signs(static_cast<std::size_t>(kernels.sign_bytes(geometry)),
                                       placement);
  const GuardedBuffer<float> y(count(geometry.output), placement);
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

// weights: [outputs, inputs].
inline std::vector<float> run_sign_linear(const bdnet::Kernels& kernels,
                                          const bdnet::SignLinear& linear, std::int64_t rows,
                                          const std::vector<float>& x,
                                          const std::vector<bdnet::Sign>& weights,
                                          Placement placement = Placement::kBeforeGuard) {
  const GuardedBuffer<float> input(x, placement);
  const GuardedBuffer<bdnet::Sign> filters(weights, placement);
  const GuardedBuffer<std::byte> tiled(
      static_cast<std::size_t>(kernels.linear_weight_bytes(linear)), placement);
  const GuardedBuffer<std::byte> signs(
      static_cast<std::size_t>(kernels.linear_sign_bytes(linear, rows)), placement);
  const GuardedBuffer<float> y(static_cast<std::size_t>(rows * linear.outputs), placement);
  tiled.fill(std::byte{99});
  signs.fill(std::byte{99});
  y.fill(99.0f);
  kernels.tile_linear_weights(linear, filters.data(), tiled.data());
  run_in_parts(rows, [&](std::int64_t begin, std::int64_t end) {
    kernels.binarise_linear_rows(linear, input.data(), signs.data(), begin, end);
  });
  run_in_parts(bdnet::linear_parts(linear), [&](std::int64_t begin, std::int64_t end) {
    kernels.sign_linear_parts(linear, rows, signs.data(), tiled.data(), y.data(), begin, end);
  });
  return y.values();
}

inline std::vector<float> run_ordered_conv(const bdnet::Kernels& kernels,
                                           const bdnet::ConvGeometry& geometry,
                                           const std::vector<float>& x,
                                           const std::vector<float>& weight,
                                           Placement placement = Placement::kBeforeGuard) {
  const GuardedBuffer<float> input(x, placement);
  const GuardedBuffer<float> filters(weight, placement);
  const GuardedBuffer<float> y(count(geometry.output), placement);
  y.fill(99.0f);
  run_in_parts(geometry.output[0] * geometry.output[1], [&](std::int64_t begin, std::int64_t end) {
    kernels.ordered_conv_rows(geometry, input.data(), filters.data(), y.data(), begin, end);
  });
  return y.values();
}

inline std::vector<float> run_average_pool(const bdnet::Kernels& kernels,
                                           const bdnet::PoolGeometry& geometry,
                                           const std::vector<float>& x,
                                           Placement placement = Placement::kBeforeGuard) {
  const GuardedBuffer<float> input(x, placement);
  const GuardedBuffer<float> y(count(geometry.output), placement);
  y.fill(99.0f);
  run_in_parts(geometry.output[0] * geometry.output[1], [&](std::int64_t begin, std::int64_t end) {
    kernels.ordered_average_pool_rows(geometry, input.data(), y.data(), begin, end);
  });
  return y.values();
}

// A stem's constants; see Kernels::ordered_stem_rows.
struct StemData {
  std::vector<float> weight;
  std::vector<float> bn_mul;
  std::vector<float> bn_add;
};

inline std::vector<float> run_ordered_stem(const bdnet::Kernels& kernels,
                                           const bdnet::ConvGeometry& geometry,
                                           const std::vector<float>& image, const StemData& data,
                                           Placement placement) {
  const GuardedBuffer<float> input(image, placement);
  const GuardedBuffer<float> filters(data.weight, placement);
  const GuardedBuffer<float> mul(data.bn_mul, placement);
  const GuardedBuffer<float> add(data.bn_add, placement);
  const GuardedBuffer<float> y(count(geometry.output), placement);
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

// A unit's constants in buffers of their own.
class GuardedConstants {
 public:
  GuardedConstants(const std::vector<std::vector<float>>& constants, Placement placement) {
    for (const std::vector<float>& values : constants) {
      buffers_.push_back(std::make_unique<GuardedBuffer<float>>(values, placement));
    }
  }

  bdnet::UnitConstants pointers() const {
    return {buffers_[0]->data(), buffers_[1]->data(), buffers_[2]->data(), buffers_[3]->data(),
            buffers_[4]->data(), buffers_[5]->data(), buffers_[6]->data()};
  }

 private:
  std::vector<std::unique_ptr<GuardedBuffer<float>>> buffers_;
};

// In parts as two threads would, the later one first: each begins with nothing in its scratch
// memory and goes on with what the rows before have left there, one by one or several at a time.
inline std::vector<float> run_separable_block(const bdnet::Kernels& kernels,
                                              const bdnet::SeparableBlockGeometry& geometry,
                                              const std::vector<float>& x, const BlockData& data,
                                              Placement placement) {
  const bdnet::ConvGeometry& depthwise = geometry.depthwise;
  const bdnet::ConvGeometry& pointwise = geometry.pointwise;
  const GuardedBuffer<float> input(x, placement);
  const auto tile = [&](const bdnet::ConvGeometry& conv, const std::vector<bdnet::Sign>& filters) {
    const std::int64_t bytes = kernels.tiled_bytes(conv.attributes, conv.filters);
    auto tiled =
        std::make_unique<GuardedBuffer<std::byte>>(static_cast<std::size_t>(bytes), placement);
    tiled->fill(std::byte{99});
    kernels.tile_sign_filters(conv.attributes, conv.filters, filters.data(), tiled->data());
    return tiled;
  };
  const auto depthwise_tiled = tile(depthwise, data.depthwise);
  const auto pointwise_tiled = tile(pointwise, data.pointwise);
  const GuardedConstants depthwise_constants(data.depthwise_constants, placement);
  const GuardedConstants pointwise_constants(data.pointwise_constants, placement);
  const bdnet::SeparableBlockWeights weights{depthwise_tiled->data(), pointwise_tiled->data(),
                                             depthwise_constants.pointers(),
                                             pointwise_constants.pointers()};
  const GuardedBuffer<float> y(count(pointwise.output), placement);
  y.fill(99.0f);
  const std::int64_t rows = pointwise.output[0] * pointwise.output[1];
  const GuardedCacheLines scratch(kernels.separable_block_scratch_bytes(geometry), placement);
  const auto run = [&](bool resumes, std::int64_t begin, std::int64_t end) {
    kernels.separable_block_rows(geometry, weights, input.data(), y.data(), scratch.data(), resumes,
                                 begin, end);
  };
  const std::int64_t middle = rows / 3;  // of two images, inside the first
  const std::int64_t later = middle + (rows - middle) / 2;
  scratch.fill(std::byte{99});
  run(false, middle, later);
  run(later > middle, later, rows);
  scratch.fill(std::byte{99});
  for (std::int64_t row = 0; row < middle; ++row) run(row > 0, row, row + 1);
  return y.values();
}
