// Where the time of MobileNet V1's thirteen blocks at 224 x 224 goes: each inner loop of each block
// by itself, over a whole image, one thread, with the fastest kernels of this processor. Beside
// each sum stands the least that it could be, see ceilings.h; for what only reads, a copy of as
// many bytes.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "bdnet/dispatch.h"
#include "ceilings.h"
#include "inner_loops.h"

namespace {

using bdnet::InnerLoops;

struct Block {
  std::int64_t size, channels, filters, stride;

  std::int64_t out() const { return size / stride; }
  std::int64_t middle() const { return out() * out() * channels; }  // values between its units
  std::int64_t result() const { return out() * out() * filters; }
};

constexpr Block kBlocks[] = {
    {112, 32, 64, 1},  {112, 64, 128, 2},  {56, 128, 128, 1},  {56, 128, 256, 2}, {28, 256, 256, 1},
    {28, 256, 512, 2}, {14, 512, 512, 1},  {14, 512, 512, 1},  {14, 512, 512, 1}, {14, 512, 512, 1},
    {14, 512, 512, 1}, {14, 512, 1024, 2}, {7, 1024, 1024, 1},
};

enum Loop { kSigns, kSums, kAverage, kDepthwiseEpilogue, kPointwise, kLoops };
constexpr const char* kNames[kLoops] = {"signs of x", "depth-wise sums", "2 x 2 average",
                                        "depth-wise epilogue", "point-wise unit"};
using Times = std::array<double, kLoops>;  // seconds

// What an epilogue adds, compares or converts for each value; products go through other pipes.
constexpr double kDepthwiseAdditions = 7;
constexpr double kPointwiseAdditions = 6;

const InnerLoops* active_loops() {
#define BDNET_INSTRUCTION_SET(name, runs, because) \
  if (&bdnet::active_kernels() == &bdnet::name##_kernels()) return &bdnet::name::kInnerLoops;
#include "bdnet/kernels.inc"
  return nullptr;
}

template <typename T>
class Memory {
 public:
  explicit Memory(std::int64_t count) : values_(static_cast<std::size_t>(count) + 64) {}
  T* data() { return values_.data(); }

 private:
  std::vector<T> values_;
};

std::vector<float> random_floats(std::int64_t count) {
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> floats(static_cast<std::size_t>(count) + 64);
  std::generate(floats.begin(), floats.end(), [&] { return uniform(random); });
  return floats;
}

// Any weights cost the same: those of a block are zeros.
Times measure(const InnerLoops& loops, const Block& block) {
  constexpr int kRuns = 200;
  const std::int64_t out = block.out();
  const std::int64_t channels = block.channels;
  const std::int64_t width = block.size;
  const std::int64_t sign_row = (width + 2) * channels;
  const std::vector<float> x = random_floats(width * width * channels);
  const std::vector<float> constants = random_floats(block.filters);
  const float* c = constants.data();
  const bdnet::UnitConstants unit{c, c, c, c, c, c, c};
  const bdnet::Epilogue epilogue{unit, {bdnet::Residual::kBeforeNorm, false}};
  Memory<std::int8_t> ring(3 * sign_row);
  Memory<std::int8_t> weights(9 * channels);
  Memory<std::int8_t> sums(out * channels);
  Memory<float> average(out * channels);
  Memory<float> middle(out * channels);
  const std::int64_t words = channels / loops.word_channels;
  Memory<std::uint8_t> codes(out * words * loops.code_bytes);
  Memory<std::uint8_t> filters(block.filters * words * loops.word_bytes);
  Memory<float> y(block.result());

  Times times{};
  const auto for_rows = [&](std::int64_t rows, const std::function<void(std::int64_t)>& row) {
    return best_seconds(kRuns, [&] {
      for (std::int64_t i = 0; i < rows; ++i) row(i);
    });
  };
  times[kSigns] = for_rows(width, [&](std::int64_t row) {
    loops.binarise(x.data() + row * width * channels, c, width, channels,
                   ring.data() + row % 3 * sign_row + channels);
  });

  const std::int8_t* rows[] = {ring.data(), ring.data() + sign_row, ring.data() + 2 * sign_row};
  bdnet::DepthwiseRow sum_row{};
  sum_row.rows = rows;
  sum_row.kernel_height = sum_row.kernel_width = 3;
  sum_row.column_step = channels;
  sum_row.pixel_step = block.stride * channels;
  sum_row.filters = weights.data();
  sum_row.filter_step = sum_row.channels = channels;
  sum_row.width = out;
  times[kSums] =
      for_rows(out, [&](std::int64_t) { loops.depthwise_sums(sum_row, sums.data(), channels); });

  if (block.stride == 2) {
    bdnet::PoolRow pool{};
    pool.kernel_height = pool.kernel_width = 2;
    pool.columns = width;
    pool.row_step = width * channels;
    pool.channels = pool.y_step = channels;
    pool.y = average.data();
    pool.width = out;
    times[kAverage] = for_rows(out, [&](std::int64_t row) {
      pool.x = x.data() + row * 2 * width * channels;
      loops.average_row(pool);
    });
  }

  bdnet::DepthwiseEpilogue finish{};
  finish.epilogue = epilogue;
  finish.sums = sums.data();
  finish.shortcut_step = finish.step = finish.channels = channels;
  finish.y = middle.data();
  finish.next_threshold = c;
  finish.codes = codes.data();
  finish.code_step = words * loops.code_bytes;
  finish.width = out;
  times[kDepthwiseEpilogue] = for_rows(out, [&](std::int64_t row) {
    finish.shortcut = block.stride == 2 ? average.data() : x.data() + row * width * channels;
    loops.depthwise_epilogue(finish);
  });

  bdnet::PointwiseRow pointwise{};
  pointwise.epilogue = epilogue;
  pointwise.codes = codes.data();
  pointwise.code_step = finish.code_step;
  pointwise.words = words;
  pointwise.planes = 1;
  pointwise.channels = pointwise.shortcut_step = pointwise.shortcut_channels = channels;
  pointwise.filters = filters.data();
  pointwise.filter_count = block.filters;
  pointwise.shortcut = middle.data();
  pointwise.width = out;
  times[kPointwise] = for_rows(out, [&](std::int64_t row) {
    pointwise.y = y.data() + row * out * block.filters;
    loops.pointwise_row(pointwise);
  });
  return times;
}

// What each loop takes at least.
Times least(const Block& block, const Ceiling& ceiling, double clock) {
  const auto middle = static_cast<double>(block.middle());
  const auto result = static_cast<double>(block.result());
  const auto bytes = static_cast<double>(block.size * block.size * block.channels) * sizeof(float);
  Times times{};
  times[kSigns] = copy_seconds(bytes);
  times[kSums] = middle * 9 / ceiling.depthwise / clock;
  times[kAverage] = block.stride == 2 ? copy_seconds(bytes) : 0;
  times[kDepthwiseEpilogue] = middle * kDepthwiseAdditions / ceiling.floats / clock;
  times[kPointwise] = (result * static_cast<double>(block.channels) / ceiling.dense +
                       result * kPointwiseAdditions / ceiling.floats) /
                      clock;
  return times;
}

void print(const char* name, const Times& times) {
  std::printf("%-26s", name);
  double sum = 0;
  for (const double time : times) {
    std::printf(" %19.1f", time * 1e6);
    sum += time;
  }
  std::printf(" %9.1f\n", sum * 1e6);
}

}  // namespace

int main() {
  const InnerLoops* loops = active_loops();
  if (loops == nullptr) {
    std::fprintf(stderr, "the reference has no inner loops; take BDNET_ISA out\n");
    return 1;
  }
  const double clock = measure_clock();
  const Ceiling& ceiling = ceiling_of(bdnet::active_kernels());
  std::printf("%s, %.2f GHz, microseconds\n%-26s", loops->isa, clock / 1e9, "");
  for (const char* name : kNames) std::printf(" %19s", name);
  std::printf(" %9s\n", "all");
  Times all{};
  Times all_least{};
  for (const Block& block : kBlocks) {
    const Times times = measure(*loops, block);
    const Times at_least = least(block, ceiling, clock);
    for (std::size_t i = 0; i < kLoops; ++i) {
      all[i] += times[i];
      all_least[i] += at_least[i];
    }
    char name[64];
    std::snprintf(name, sizeof name, "%dx%dx%d to %d%s", static_cast<int>(block.size),
                  static_cast<int>(block.size), static_cast<int>(block.channels),
                  static_cast<int>(block.filters), block.stride == 2 ? ", stride 2" : "");
    print(name, times);
  }
  print("all", all);
  print("at least", all_least);
}
