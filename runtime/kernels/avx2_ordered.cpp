#include <immintrin.h>

#include <cstdint>

#include "avx2.h"
#include "avx2_lanes.h"

// Float sums of one order: filters or channels lie across the lanes, so a lane adds what the
// reference adds, in its order, each product and each sum rounded (no fused multiply-add).
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kPixels = 3;
constexpr std::int64_t kVectors = 4;

// P pixels from `ox` on, V vectors of filters from `first` on; only V == 1 may be partial.
template <int P, int V>
void ordered_tile(const OrderedRow& row, std::int64_t ox, std::int64_t first) noexcept {
  static constexpr float kZero = 0.0f;
  const std::int64_t count = row.filters - first;
  const __m256i lanes = first_lanes(count);
  const float* weight = row.weight + first;
  __m256 sums[P][V];
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) sums[p][v] = _mm256_setzero_ps();
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
        x[p] = inside ? row.image + (iy * row.width + ix) * row.channels : &kZero;
        step[p] = inside ? 1 : 0;
      }
      for (std::int64_t c = 0; c < row.channels; ++c) {
        __m256 w[V];
        for (int v = 0; v < V; ++v) {
          w[v] = V == 1 ? _mm256_maskload_ps(weight, lanes) : _mm256_loadu_ps(weight + v * kFloats);
        }
        for (int p = 0; p < P; ++p) {
          const __m256 value = _mm256_broadcast_ss(x[p] + c * step[p]);
          for (int v = 0; v < V; ++v) {
            sums[p][v] = _mm256_add_ps(sums[p][v], _mm256_mul_ps(value, w[v]));
          }
        }
        weight += row.filters;
      }
    }
  }
  for (int p = 0; p < P; ++p) {
    float* y = row.y + (ox + p) * row.filters + first;
    for (int v = 0; v < V; ++v) store_floats(y + v * kFloats, sums[p][v], count - v * kFloats);
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
  const __m256 taps = _mm256_set1_ps(static_cast<float>(tile.height * tile.width));
  for (std::int64_t c = 0; c < tile.channels; c += kFloats) {
    const __m256i lanes = first_lanes(tile.channels - c);
    __m256 sum = _mm256_setzero_ps();
    for (std::int64_t y = 0; y < tile.height; ++y) {
      const float* x = tile.x + y * tile.row_step + c;
      for (std::int64_t tap = 0; tap < tile.width; ++tap) {
        sum = _mm256_add_ps(sum, _mm256_maskload_ps(x + tap * tile.channels, lanes));
      }
    }
    store_floats(tile.y + c, _mm256_div_ps(sum, taps), tile.channels - c);
  }
}

}  // namespace bdnet::avx2
