// Times every table of kernels that this processor can run on layers of MobileNet V1 at 224, the
// tables in turn, one thread. The best of many runs: other work on a machine only ever adds time.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "bdnet/dispatch.h"

namespace {

using bdnet::ConvAttributes;
using bdnet::ConvGeometry;
using bdnet::Kernels;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 100;

struct Layer {
  std::int64_t size, channels, filters, kernel;
  bool depthwise;
};

constexpr Layer kLayers[] = {
    {112, 32, 64, 1, false},   {56, 128, 128, 1, false}, {14, 512, 512, 1, false},
    {7, 1024, 1024, 1, false}, {14, 256, 256, 3, false}, {112, 32, 32, 3, true},
    {56, 128, 128, 3, true},   {14, 512, 512, 3, true},
};

struct Aligned {
  explicit Aligned(std::int64_t size)
      : data(static_cast<std::byte*>(
            ::operator new(static_cast<std::size_t>(size), std::align_val_t{64}))) {}
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { ::operator delete(data, std::align_val_t{64}); }
  std::byte* data;
};

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// One layer with one table: its data, and the best times so far.
class Run {
 public:
  Run(const Kernels& kernels, const ConvGeometry& geometry, const std::vector<float>& x,
      const std::vector<bdnet::Sign>& weights)
      : kernels_(kernels),
        geometry_(geometry),
        x_(x),
        tiled_(kernels.tiled_bytes(geometry.attributes, geometry.filters)),
        signs_(kernels.sign_bytes(geometry)),
        y_(static_cast<std::size_t>(geometry.output[1] * geometry.output[2] * geometry.filters)) {
    kernels_.tile_sign_filters(geometry.attributes, geometry.filters, weights.data(), tiled_.data);
  }

  void once() {
    const Clock::time_point start = Clock::now();
    kernels_.binarise_rows(geometry_, x_.data(), signs_.data, 0, geometry_.padded[0]);
    const Clock::time_point middle = Clock::now();
    kernels_.sign_conv_rows(geometry_, signs_.data, tiled_.data, y_.data(), 0, geometry_.output[1]);
    const Clock::time_point end = Clock::now();
    binarise_ms_ = std::min(binarise_ms_, milliseconds(middle - start));
    conv_ms_ = std::min(conv_ms_, milliseconds(end - middle));
  }

  void report(const Layer& layer) const {
    const double macs =
        static_cast<double>(y_.size()) * static_cast<double>(geometry_.attributes.filter_size());
    std::printf("%3d x %-4d %4d -> %-4d %dx%d %-10s %-10s %9.3f %9.3f %8.0f\n",
                static_cast<int>(layer.size), static_cast<int>(layer.size),
                static_cast<int>(layer.channels), static_cast<int>(layer.filters),
                static_cast<int>(layer.kernel), static_cast<int>(layer.kernel),
                layer.depthwise ? "ternary dw" : "binary", kernels_.isa, binarise_ms_, conv_ms_,
                macs / conv_ms_ / 1e6);
  }

 private:
  const Kernels& kernels_;
  const ConvGeometry& geometry_;
  const std::vector<float>& x_;
  Aligned tiled_;
  Aligned signs_;
  std::vector<float> y_;
  double binarise_ms_ = 1e9;
  double conv_ms_ = 1e9;
};

void measure(const Layer& layer) {
  ConvAttributes attributes;
  const std::int64_t pad = layer.kernel / 2;
  attributes.kernel_shape = {layer.kernel, layer.kernel};
  attributes.pads = {pad, pad, pad, pad};
  attributes.channels = layer.depthwise ? 1 : layer.channels;
  attributes.group = layer.depthwise ? layer.channels : 1;
  attributes.planes = layer.depthwise ? 2 : 1;
  ConvGeometry geometry;
  const bdnet::Status status = bdnet::make_conv_geometry(
      attributes, layer.filters, {1, layer.size, layer.size, layer.channels}, &geometry);
  if (!status.ok()) {
    std::printf("%s\n", status.message().c_str());
    return;
  }
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(layer.size * layer.size * layer.channels));
  for (float& value : x) value = normal(random);
  std::vector<bdnet::Sign> weights(
      static_cast<std::size_t>(layer.filters * attributes.filter_size()));
  for (bdnet::Sign& weight : weights) {
    weight = static_cast<bdnet::Sign>(random() % 2 == 0 ? -1 : 1);
  }
  std::vector<std::unique_ptr<Run>> runs;
  for (const Kernels* kernels : bdnet::available_kernels()) {
    runs.push_back(std::make_unique<Run>(*kernels, geometry, x, weights));
  }
  for (int i = 0; i < kRuns; ++i) {
    for (const auto& run : runs) run->once();
  }
  for (const auto& run : runs) run->report(layer);
}

}  // namespace

int main() {
  std::printf("pixels     channels     layer          kernels    signs, ms  conv, ms   GMAC/s\n");
  for (const Layer& layer : kLayers) measure(layer);
}
