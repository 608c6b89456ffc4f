// Times every kernel of every instruction set that this processor can run on the layers of
// MobileNet V1 at 224 x 224, one thread: `make bench`. Columns:
//   GMAC/s     10^9 multiplications and additions a second
//   GB/s       for what is bound by memory: 10^9 bytes read or written a second
//   %ceiling   the ceiling's time over the measured one, see ceilings.h. That of memory is a copy
//              of as many bytes.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "bdnet/dispatch.h"
#include "ceilings.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Kernels;
using bdnet::PoolGeometry;
using bdnet::SeparableBlockGeometry;
using bdnet::Sign;
using bdnet::SignLinear;

// A block of MobileNet V1: its input and its point-wise filters.
struct Block {
  std::int64_t size, channels, filters, stride;
};

// The thirteen without repetition: 14 x 14 x 512 comes five times.
constexpr Block kBlocks[] = {
    {112, 32, 64, 1},  {112, 64, 128, 2}, {56, 128, 128, 1},  {56, 128, 256, 2},  {28, 256, 256, 1},
    {28, 256, 512, 2}, {14, 512, 512, 1}, {14, 512, 1024, 2}, {7, 1024, 1024, 1},
};

// Memory on a cache line, as the adapter gives it.
template <typename T>
class Buffer {
 public:
  explicit Buffer(std::int64_t count)
      : count_(count),
        data_(static_cast<T*>(
            ::operator new(static_cast<std::size_t>(count) * sizeof(T), std::align_val_t{64}))) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { ::operator delete(data_, std::align_val_t{64}); }

  T* data() const noexcept { return data_; }
  std::int64_t count() const noexcept { return count_; }

 private:
  std::int64_t count_;
  T* data_;
};

using Floats = Buffer<float>;
using Bytes = Buffer<std::byte>;

std::unique_ptr<Floats> random_floats(std::int64_t count) {
  auto floats = std::make_unique<Floats>(count);
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  for (std::int64_t i = 0; i < count; ++i) floats->data()[i] = uniform(random);
  return floats;
}

std::int64_t count(const bdnet::Shape4& shape) { return shape[0] * shape[1] * shape[2] * shape[3]; }

std::int64_t rows(const bdnet::Shape4& shape) { return shape[0] * shape[1]; }

double macs(const ConvGeometry& geometry) {
  return static_cast<double>(count(geometry.output) * geometry.attributes.filter_size());
}

void require(const bdnet::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.message().c_str());
  std::exit(1);
}

ConvAttributes depthwise_attributes(const Block& block) {
  ConvAttributes attributes;
  attributes.kernel_shape = {3, 3};
  attributes.pads = {1, 1, 1, 1};
  attributes.strides = {block.stride, block.stride};
  attributes.group = block.channels;
  attributes.planes = 2;
  return attributes;
}

ConvAttributes pointwise_attributes(const Block& block) {
  ConvAttributes attributes;
  attributes.channels = block.channels;
  return attributes;
}

ConvGeometry depthwise_of(const Block& block) {
  ConvGeometry geometry;
  require(bdnet::make_conv_geometry(depthwise_attributes(block), block.channels,
                                    {1, block.size, block.size, block.channels}, &geometry));
  return geometry;
}

ConvGeometry pointwise_of(const Block& block) {
  const std::int64_t size = block.size / block.stride;
  ConvGeometry geometry;
  require(bdnet::make_conv_geometry(pointwise_attributes(block), block.filters,
                                    {1, size, size, block.channels}, &geometry));
  return geometry;
}

SeparableBlockGeometry geometry_of(const Block& block) {
  bdnet::SeparableBlockAttributes attributes;
  attributes.depthwise = depthwise_attributes(block);
  attributes.pointwise = pointwise_attributes(block);
  attributes.filters = block.filters;
  attributes.depthwise_unit.residual = bdnet::Residual::kBeforeNorm;
  attributes.pointwise_unit.residual = bdnet::Residual::kBeforeNorm;
  require(bdnet::check_separable_block(attributes));
  SeparableBlockGeometry geometry;
  require(bdnet::make_separable_block_geometry(
      attributes, {1, block.size, block.size, block.channels}, &geometry));
  return geometry;
}

ConvGeometry stem() {
  ConvAttributes attributes;
  attributes.kernel_shape = {3, 3};
  attributes.pads = {1, 1, 1, 1};
  attributes.strides = {2, 2};
  attributes.channels = 3;
  ConvGeometry geometry;
  require(bdnet::make_conv_geometry(attributes, 32, {1, 224, 224, 3}, &geometry));
  return geometry;
}

std::vector<Sign> random_signs(std::int64_t count, int planes) {
  std::minstd_rand random(1);
  std::vector<Sign> weights(static_cast<std::size_t>(count));
  for (Sign& weight : weights) {
    const auto value = static_cast<int>(random() / 7 % (planes == 2 ? 3 : 2));
    weight = static_cast<Sign>(planes == 2 ? value - 1 : 2 * value - 1);
  }
  return weights;
}

std::unique_ptr<Bytes> random_tiled(const Kernels& kernels, const ConvGeometry& geometry) {
  const ConvAttributes& a = geometry.attributes;
  const std::vector<Sign> filters = random_signs(geometry.filters * a.filter_size(), a.planes);
  auto tiled = std::make_unique<Bytes>(kernels.tiled_bytes(a, geometry.filters));
  kernels.tile_sign_filters(a, geometry.filters, filters.data(), tiled->data());
  return tiled;
}

double clock_rate() {
  static const double rate = measure_clock();
  return rate;
}

// What one run does: MACs or bytes, and the ceiling's time for it.
struct Work {
  const char* unit;
  double amount;
  double ceiling_seconds;
};

Work work_of_macs(double amount, double ceiling_a_cycle) {
  return {"GMAC/s", amount, amount / ceiling_a_cycle / clock_rate()};
}

Work work_of_bytes(std::int64_t bytes) {
  const auto amount = static_cast<double>(bytes);
  return {"GB/s", amount, copy_seconds(amount)};
}

// Rates count processor time, from which other work on the machine takes less.
template <typename Run>
void measure(benchmark::State& state, const Work& work, const Run& run) {
  const std::clock_t start = std::clock();
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  const double time = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  const double seconds = time / static_cast<double>(state.iterations());
  state.counters[work.unit] = work.amount / seconds / 1e9;
  state.counters["%ceiling"] = 100 * work.ceiling_seconds / seconds;
}

// One benchmark for each instruction set, NAME/ISA/SHAPE; its data live only while it runs.
void add(const char* name, const std::string& shape,
         const std::function<void(benchmark::State&, const Kernels&)>& body) {
  for (const Kernels* kernels : bdnet::available_kernels()) {
    benchmark::RegisterBenchmark(
        (std::string(name) + "/" + kernels->isa + "/" + shape).c_str(),
        [body, kernels](benchmark::State& state) { body(state, *kernels); })
        ->Unit(benchmark::kMicrosecond);
  }
}

std::string describe(const bdnet::Shape4& shape) {
  return std::to_string(shape[1]) + "x" + std::to_string(shape[2]) + "x" + std::to_string(shape[3]);
}

std::string describe(const ConvGeometry& geometry) {
  const std::int64_t stride = geometry.attributes.strides[0];
  return describe(geometry.input) +
         (geometry.is_depthwise() ? "_depthwise" : "_to_" + std::to_string(geometry.filters)) +
         (stride == 1 ? "" : "_stride" + std::to_string(stride));
}

std::vector<ConvGeometry> sign_convolutions() {
  std::vector<ConvGeometry> geometries;
  for (const Block& block : kBlocks) geometries.push_back(depthwise_of(block));
  for (const Block& block : kBlocks) geometries.push_back(pointwise_of(block));
  return geometries;
}

// One function for each line of kernels.inc.
#define BDNET_KERNEL(name) void add_##name(const char* kernel);
#include "bdnet/kernels.inc"

void add_binarise_rows(const char* kernel) {
  for (const ConvGeometry& geometry : sign_convolutions()) {
    add(kernel, describe(geometry), [=](benchmark::State& state, const Kernels& kernels) {
      const auto x = random_floats(count(geometry.input));
      const Bytes signs(kernels.sign_bytes(geometry));
      constexpr std::int64_t kFloat = sizeof(float);
      measure(state, work_of_bytes(x->count() * kFloat + signs.count()), [&] {
        kernels.binarise_rows(geometry, x->data(), signs.data(), 0, geometry.padded[0]);
      });
    });
  }
}

void add_sign_conv_rows(const char* kernel) {
  for (const ConvGeometry& geometry : sign_convolutions()) {
    add(kernel, describe(geometry), [=](benchmark::State& state, const Kernels& kernels) {
      const auto x = random_floats(count(geometry.input));
      const Bytes signs(kernels.sign_bytes(geometry));
      kernels.binarise_rows(geometry, x->data(), signs.data(), 0, geometry.padded[0]);
      const auto tiled = random_tiled(kernels, geometry);
      const Floats y(count(geometry.output));
      const Ceiling& ceiling = ceiling_of(kernels);
      const double a_cycle = geometry.is_depthwise() ? ceiling.depthwise : ceiling.dense;
      measure(state, work_of_macs(macs(geometry), a_cycle), [&] {
        kernels.sign_conv_rows(geometry, signs.data(), tiled->data(), y.data(), 0,
                               rows(geometry.output));
      });
    });
  }
}

// A classifier of one image and of 64, and a layer whose weights no near cache holds.
struct LinearCase {
  std::int64_t rows, inputs, outputs;
};
constexpr LinearCase kLinears[] = {{1, 1024, 1000}, {64, 1024, 1000}, {1, 4096, 4096}};

std::string describe(const LinearCase& shape, int planes) {
  return std::to_string(shape.rows) + "x" + std::to_string(shape.inputs) + "_to_" +
         std::to_string(shape.outputs) + (planes == 1 ? "" : "_ternary");
}

void add_binarise_linear_rows(const char* kernel) {
  for (const LinearCase& shape : kLinears) {
    const SignLinear linear{shape.inputs, shape.outputs, 1};
    add(kernel, describe(shape, 1), [=](benchmark::State& state, const Kernels& kernels) {
      const auto x = random_floats(shape.rows * shape.inputs);
      const Bytes signs(kernels.linear_sign_bytes(linear, shape.rows));
      constexpr std::int64_t kFloat = sizeof(float);
      measure(state, work_of_bytes(x->count() * kFloat + signs.count()), [&] {
        kernels.binarise_linear_rows(linear, x->data(), signs.data(), 0, shape.rows);
      });
    });
  }
}

void add_sign_linear_parts(const char* kernel) {
  for (const LinearCase& shape : kLinears) {
    for (int planes = 1; planes <= 2; ++planes) {
      const SignLinear linear{shape.inputs, shape.outputs, planes};
      add(kernel, describe(shape, planes), [=](benchmark::State& state, const Kernels& kernels) {
        const auto x = random_floats(shape.rows * shape.inputs);
        const Bytes signs(kernels.linear_sign_bytes(linear, shape.rows));
        kernels.binarise_linear_rows(linear, x->data(), signs.data(), 0, shape.rows);
        const std::vector<Sign> weights = random_signs(shape.inputs * shape.outputs, planes);
        const Bytes tiled(kernels.linear_weight_bytes(linear));
        kernels.tile_linear_weights(linear, weights.data(), tiled.data());
        const Floats y(shape.rows * shape.outputs);
        const double amount = static_cast<double>(shape.rows * shape.inputs * shape.outputs);
        measure(state, work_of_macs(amount, ceiling_of(kernels).dense), [&] {
          kernels.sign_linear_parts(linear, shape.rows, signs.data(), tiled.data(), y.data(), 0,
                                    bdnet::linear_parts(linear));
        });
      });
    }
  }
}

void add_ordered_conv_rows(const char* kernel) {
  const ConvGeometry geometry = stem();
  add(kernel, describe(geometry), [=](benchmark::State& state, const Kernels& kernels) {
    const auto x = random_floats(count(geometry.input));
    const auto weight = random_floats(geometry.attributes.filter_size() * geometry.filters);
    const Floats y(count(geometry.output));
    measure(state, work_of_macs(macs(geometry), ceiling_of(kernels).floats), [&] {
      kernels.ordered_conv_rows(geometry, x->data(), weight->data(), y.data(), 0,
                                rows(geometry.output));
    });
  });
}

void add_ordered_stem_rows(const char* kernel) {
  const ConvGeometry geometry = stem();
  add(kernel, describe(geometry), [=](benchmark::State& state, const Kernels& kernels) {
    const auto image = random_floats(count(geometry.input));
    const auto weight = random_floats(geometry.attributes.filter_size() * geometry.filters);
    const auto bn_mul = random_floats(geometry.filters);
    const auto bn_add = random_floats(geometry.filters);
    const Floats y(count(geometry.output));
    measure(state, work_of_macs(macs(geometry), ceiling_of(kernels).floats), [&] {
      kernels.ordered_stem_rows(geometry, image->data(), weight->data(), bn_mul->data(),
                                bn_add->data(), y.data(), 0, rows(geometry.output));
    });
  });
}

// The shortcuts of the blocks with strides.
void add_ordered_average_pool_rows(const char* kernel) {
  for (const Block& block : kBlocks) {
    if (block.stride == 1) continue;
    const PoolGeometry geometry = geometry_of(block).shortcut;
    add(kernel, describe(geometry.input) + "_by_2x2",
        [=](benchmark::State& state, const Kernels& kernels) {
          const auto x = random_floats(count(geometry.input));
          const Floats y(count(geometry.output));
          constexpr std::int64_t kFloat = sizeof(float);
          measure(state, work_of_bytes((x->count() + y.count()) * kFloat), [&] {
            kernels.ordered_average_pool_rows(geometry, x->data(), y.data(), 0,
                                              rows(geometry.output));
          });
        });
  }
}

// The constants of a unit.
class Constants {
 public:
  Constants(std::int64_t inputs, std::int64_t outputs) {
    for (std::size_t i = 0; i < 7; ++i) {
      const std::int64_t size = i == 0 ? inputs : outputs;
      constants_.push_back(random_floats((size + bdnet::kConstantTile - 1) / bdnet::kConstantTile *
                                         bdnet::kConstantTile));
    }
  }
  bdnet::UnitConstants pointers() const {
    return {constants_[0]->data(), constants_[1]->data(), constants_[2]->data(),
            constants_[3]->data(), constants_[4]->data(), constants_[5]->data(),
            constants_[6]->data()};
  }

 private:
  std::vector<std::unique_ptr<Floats>> constants_;
};

// The ceiling is that of both convolutions together, without the units' other steps.
void add_separable_block_rows(const char* kernel) {
  for (const Block& block : kBlocks) {
    const SeparableBlockGeometry geometry = geometry_of(block);
    const std::string shape = describe(geometry.depthwise.input) + "_to_" +
                              std::to_string(block.filters) + (block.stride == 1 ? "" : "_stride2");
    add(kernel, shape, [=](benchmark::State& state, const Kernels& kernels) {
      const auto x = random_floats(count(geometry.depthwise.input));
      const auto depthwise = random_tiled(kernels, geometry.depthwise);
      const auto pointwise = random_tiled(kernels, geometry.pointwise);
      const Constants depthwise_constants(block.channels, block.channels);
      const Constants pointwise_constants(block.channels, block.filters);
      const bdnet::SeparableBlockWeights weights{depthwise->data(), pointwise->data(),
                                                 depthwise_constants.pointers(),
                                                 pointwise_constants.pointers()};
      const Bytes scratch(kernels.separable_block_scratch_bytes(geometry));
      const Floats y(count(geometry.pointwise.output));
      const Ceiling& ceiling = ceiling_of(kernels);
      const double amount = macs(geometry.depthwise) + macs(geometry.pointwise);
      const double cycles =
          macs(geometry.depthwise) / ceiling.depthwise + macs(geometry.pointwise) / ceiling.dense;
      measure(state, work_of_macs(amount, amount / cycles), [&] {
        kernels.separable_block_rows(geometry, weights, x->data(), y.data(), scratch.data(), false,
                                     0, rows(geometry.pointwise.output));
      });
    });
  }
}

std::string rounded(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  // What is asked for by hand comes later, and so is what counts.
  std::string columns = "--benchmark_counters_tabular=true";
  std::string min_time = "--benchmark_min_time=0.1";
  std::vector<char*> arguments{argv[0], columns.data(), min_time.data()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  auto count_of_arguments = static_cast<int>(arguments.size());
  benchmark::Initialize(&count_of_arguments, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count_of_arguments, arguments.data())) return 1;

  benchmark::AddCustomContext("clock, GHz (by additions that wait for each other)",
                              rounded(clock_rate() / 1e9));
  for (const Kernels* kernels : bdnet::available_kernels()) {
    const Ceiling& ceiling = ceiling_of(*kernels);
    benchmark::AddCustomContext(std::string("ceiling of ") + kernels->isa + ", MACs a cycle",
                                rounded(ceiling.dense) + " dense, " + rounded(ceiling.depthwise) +
                                    " depth-wise, " + rounded(ceiling.floats) + " of floats");
  }
#define BDNET_KERNEL(name) add_##name(#name);
#include "bdnet/kernels.inc"
  benchmark::RunSpecifiedBenchmarks();
}
