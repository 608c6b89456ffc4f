#include <cstdint>

#include "neon_lanes.h"
#include "neon_loops.h"

// Float sums of one order: filters or channels lie across the lanes, so a lane adds what the
// reference adds, in its order, each product and each sum rounded (no fused multiply-add).
namespace bdnet::neon {
namespace {

constexpr std::int64_t kPixels = 4;
constexpr std::int64_t kVectors = 4;

// P pixels from `ox` on, V vectors of filters from `first` on; only V == 1 may be partial.
template <int P, int V>
void ordered_tile(const OrderedRow& row, std::int64_t ox, std::int64_t first) noexcept {
  static constexpr float kZero = 0.0f;
  const std::int64_t count = row.filters - first;
  const float* weight = row.weight + first;
  float32x4_t sums[P][V];
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) sums[p][v] = vdupq_n_f32(0.0f);
  }
  for (std::int64_t ky = 0; ky < row.kernel_height; ++ky) {
    const std::int64_t iy = row.top + ky * row.dilation_y;
    for (std::int64_t kx = 0; kx < row.kernel_width; ++kx) {
      // A tap in the padding reads one zero again and again.
      const float* x[P];
      std::int64_t step[P];
      for (int p = 0; p < P; ++p) {
        const std::int64_t ix = row.left + (ox + p) * row.stride + kx * row.dilation_x;
        const bool inside = iy >= 0 && iy < row.height && ix >= 0 && ix < row.width;
        x[p] = inside ? row.image + iy * row.row_step + ix * row.column_step : &kZero;
        step[p] = inside ? row.channel_step : 0;
      }
      for (std::int64_t c = 0; c < row.channels; ++c) {
        float32x4_t w[V];
        for (int v = 0; v < V; ++v) {
          w[v] = V == 1 ? load_floats(weight, count) : vld1q_f32(weight + v * kFloats);
        }
        for (int p = 0; p < P; ++p) {
          for (int v = 0; v < V; ++v) sums[p][v] = vaddq_f32(sums[p][v], vmulq_n_f32(w[v], *x[p]));
          x[p] += step[p];
        }
        weight += row.filters;
      }
    }
  }
  for (int v = 0; v < V; ++v) {
    const std::int64_t m = first + v * kFloats;
    const std::int64_t left = row.filters - m;
    float32x4_t mul{};
    float32x4_t add{};
    if (row.bn_mul != nullptr) {
      mul = load_floats(row.bn_mul + m, left);
      add = load_floats(row.bn_add + m, left);
    }
    for (int p = 0; p < P; ++p) {
      float32x4_t value = sums[p][v];
      if (row.bn_mul != nullptr) value = vaddq_f32(vmulq_f32(value, mul), add);
      store_floats(row.y + (ox + p) * row.filters + m, value, left);
    }
  }
}

template <int P>
void ordered_pixels(const OrderedRow& row, std::int64_t ox) noexcept {
  std::int64_t first = 0;
  for (; first + kVectors * kFloats <= row.filters; first += kVectors * kFloats) {
    ordered_tile<P, kVectors>(row, ox, first);
  }
  for (; first < row.filters; first += kFloats) ordered_tile<P, 1>(row, ox, first);
}

}  // namespace

void ordered_conv_row(const OrderedRow& row) noexcept {
  std::int64_t ox = 0;
  for (; ox + kPixels <= row.output_width; ox += kPixels) ordered_pixels<kPixels>(row, ox);
  for (; ox < row.output_width; ++ox) ordered_pixels<1>(row, ox);
}

void average_tile(const PoolTile& tile) noexcept {
  const float32x4_t taps = vdupq_n_f32(static_cast<float>(tile.height * tile.width));
  for (std::int64_t c = 0; c < tile.channels; c += kFloats) {
    const std::int64_t left = tile.channels - c;
    float32x4_t sum = vdupq_n_f32(0.0f);
    for (std::int64_t y = 0; y < tile.height; ++y) {
      const float* x = tile.x + y * tile.row_step + c;
      for (std::int64_t tap = 0; tap < tile.width; ++tap) {
        sum = vaddq_f32(sum, load_floats(x + tap * tile.channels, left));
      }
    }
    store_floats(tile.y + c, vdivq_f32(sum, taps), left);
  }
}

}  // namespace bdnet::neon
