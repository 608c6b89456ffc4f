#include <cstdint>

#include "neon_epilogue.h"
#include "neon_lanes.h"
#include "neon_loops.h"

// A sum of products of signs is their number less twice the number of products that are -1, which
// are those where the bits of activation and weight differ; of a ternary weight's two planes each
// counts half.
//
// Filters lie across the lanes, one to a byte: eight activations of a pixel, in every lane, differ
// from eight weights of 16 filters in so many bits (eor, cnt), which 16 bytes add up. A byte holds
// 31 such counts; then they are added to 16 words in memory, since 4 pixels by 64 filters are all
// the bytes that there are registers for.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kWordsPerSum = 255 / 8;
constexpr std::int64_t kSumsPerCount = 65535 / (8 * kWordsPerSum);

// Bits that differ, of P pixels and kFilterTile filters.
template <int P>
using Counts = std::uint16_t[P][kFilterTile];

// P pixels, V vectors of filters. Whenever the counts are full, and at the end, `take` takes them.
template <int P, int V, typename Take>
void count_bits(const DenseTile& tile, const std::uint8_t* filters, const Take& take) noexcept {
  alignas(16) Counts<P> counts;
  uint8x16_t sums[P][V];
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) sums[p][v] = vdupq_n_u8(0);
  }
  bool is_first = true;
  const auto widen = [&]() noexcept {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < V; ++v) {
        std::uint16_t* out = counts[p] + v * kBytes;
        uint16x8_t low = vmovl_u8(vget_low_u8(sums[p][v]));
        uint16x8_t high = vmovl_high_u8(sums[p][v]);
        if (!is_first) {
          low = vaddq_u16(low, vld1q_u16(out));
          high = vaddq_u16(high, vld1q_u16(out + 8));
        }
        vst1q_u16(out, low);
        vst1q_u16(out + 8, high);
        sums[p][v] = vdupq_n_u8(0);
      }
    }
    is_first = false;
  };

  std::int64_t words_left = kWordsPerSum;
  std::int64_t sums_left = kSumsPerCount;
  for (std::int64_t ky = 0; ky < tile.kernel_height; ++ky) {
    const std::uint8_t* weights = filters + ky * tile.filter_row_step;
    for (std::int64_t kx = 0; kx < tile.kernel_width; ++kx) {
      const std::int64_t offset = ky * tile.row_step + kx * tile.column_step;
      for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
        for (std::int64_t word = 0; word < tile.words;) {
          const std::int64_t end = word + least(tile.words - word, words_left);
          words_left -= end - word;
          for (; word < end; ++word) {
            uint8x16_t signs[P];
            for (int p = 0; p < P; ++p) signs[p] = vdupq_n_u8(tile.codes[p][offset + word]);
            for (int v = 0; v < V; ++v) {
              const uint8x16_t w = vld1q_u8(weights + v * kBytes);
              for (int p = 0; p < P; ++p) {
                sums[p][v] = vaddq_u8(sums[p][v], vcntq_u8(veorq_u8(signs[p], w)));
              }
            }
            weights += kFilterTile;
          }
          if (words_left > 0) continue;
          widen();
          words_left = kWordsPerSum;
          if (--sums_left > 0) continue;
          take(counts);
          is_first = true;
          sums_left = kSumsPerCount;
        }
      }
    }
  }
  widen();
  take(counts);
}

// Only as many vectors as the filters need; those after the last are zeros in the tile.
template <int P, typename Take>
void count_tile(const DenseTile& tile, std::int64_t first, const Take& take) noexcept {
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile.filter_tile_step;
  const std::int64_t left = tile.filter_count - first;
  if (left > 2 * kBytes) return count_bits<P, 4>(tile, filters, take);
  if (left > kBytes) return count_bits<P, 2>(tile, filters, take);
  return count_bits<P, 1>(tile, filters, take);
}

// y = start - weight * counts, exact in floats since nothing here reaches 2^24. `start` is the
// number of terms, and when that has been done once (`resumed`), what is in y.
template <int P>
void subtract_counts(const DenseTile& tile, std::int64_t first, const Counts<P>& counts,
                     bool resumed) noexcept {
  const float32x4_t terms = vdupq_n_f32(static_cast<float>(tile.terms));
  const float weight = tile.planes == 1 ? 2.0f : 1.0f;
  const std::int64_t count = least(tile.filter_count - first, kFilterTile);
  for (int p = 0; p < P; ++p) {
    float* y = tile.y + p * tile.y_step + first;
    for (std::int64_t m = 0; m < count; m += kFloats) {
      const float32x4_t start = resumed ? load_floats(y + m, count - m) : terms;
      const float32x4_t differ = vcvtq_f32_u32(vmovl_u16(vld1_u16(counts[p] + m)));
      store_floats(y + m, vsubq_f32(start, vmulq_n_f32(differ, weight)), count - m);
    }
  }
}

template <int P>
void dense_pixels(const DenseTile& tile) noexcept {
  for (std::int64_t first = 0; first < tile.filter_count; first += kFilterTile) {
    bool resumed = false;
    count_tile<P>(tile, first, [&](const Counts<P>& counts) noexcept {
      subtract_counts<P>(tile, first, counts, resumed);
      resumed = true;
    });
  }
}

// P pixels of a point-wise unit from `ox` on, the filters from `first` on, to the end.
struct FinishedTile {
  const PointwiseRow& row;
  std::int64_t ox;
  std::int64_t first;
  std::int64_t pixels;
  const std::uint16_t (*counts)[kFilterTile];
};

template <Residual kResidual, bool kRectify>
struct FinishPointwise {
  static void run(const FinishedTile& tile) noexcept {
    const PointwiseRow& row = tile.row;
    const uint16x4_t weight = vdup_n_u16(row.planes == 1 ? 2 : 1);
    const int32x4_t terms = vdupq_n_s32(static_cast<std::int32_t>(row.channels));
    const std::int64_t end = least(tile.first + kFilterTile, row.filter_count);
    for (std::int64_t m = tile.first; m < end; m += kFloats) {
      const Constants constants(row.epilogue.constants, m);
      float* y = row.y + tile.ox * row.filter_count + m;
      const float* shortcut =
          row.shortcut + tile.ox * row.shortcut_step + m % row.shortcut_channels;
      for (std::int64_t p = 0; p < tile.pixels; ++p) {
        const uint16x4_t differ = vld1_u16(tile.counts[p] + m - tile.first);
        const int32x4_t sum = vreinterpretq_s32_u32(
            vmlsl_u16(vreinterpretq_u32_s32(terms), differ, weight));
        float32x4_t x{};
        if constexpr (kResidual != Residual::kNone) x = vld1q_f32(shortcut + p * row.shortcut_step);
        store_floats(y + p * row.filter_count,
                     finish_unit<kResidual, kRectify>(sum, x, constants), end - m);
      }
    }
  }
};

template <int P>
void pointwise_pixels(const PointwiseRow& row, DenseTile& tile, std::int64_t ox,
                      std::int64_t first) noexcept {
  for (int p = 0; p < P; ++p) tile.codes[p] = row.codes + (ox + p) * row.code_step;
  count_tile<P>(tile, first, [&](const Counts<P>& counts) noexcept {
    call_for_unit<FinishPointwise>(row.epilogue.unit, FinishedTile{row, ox, first, P, counts});
  });
}

}  // namespace

void dense_tile(const DenseTile& tile) noexcept {
  static_assert(kPixelTile == 4);
  switch (tile.pixels) {
    case 4:
      return dense_pixels<4>(tile);
    case 3:
      return dense_pixels<3>(tile);
    case 2:
      return dense_pixels<2>(tile);
    default:
      return dense_pixels<1>(tile);
  }
}

void pointwise_row(const PointwiseRow& row) noexcept {
  static_assert(2 * kMostBlockChannels / 8 / kWordsPerSum < kSumsPerCount);  // taken once
  DenseTile tile{};
  tile.kernel_height = 1;
  tile.kernel_width = 1;
  tile.words = row.words;
  tile.planes = row.planes;
  tile.filters = row.filters;
  tile.filter_tile_step = row.planes * row.words * kFilterTile;
  tile.filter_count = row.filter_count;
  // Pixels innermost: a tile of filters stays in the nearest cache for the whole row.
  for (std::int64_t first = 0; first < row.filter_count; first += kFilterTile) {
    std::int64_t ox = 0;
    for (; ox + 4 <= row.width; ox += 4) pointwise_pixels<4>(row, tile, ox, first);
    if (row.width - ox == 3) pointwise_pixels<3>(row, tile, ox, first);
    if (row.width - ox == 2) pointwise_pixels<2>(row, tile, ox, first);
    if (row.width - ox == 1) pointwise_pixels<1>(row, tile, ox, first);
  }
}

}  // namespace bdnet::neon
