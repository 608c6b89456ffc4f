#include <cstdint>

#include "lane_loops.h"
#include "neon_lanes.h"
#include "neon_loops.h"
#include "unroll.h"

// A sum of products of signs is their number less twice the number of products that are -1, which
// are those where the bits of activation and weight differ; of a ternary weight's two planes each
// counts half.
//
// Filters lie across the lanes, one to a byte:
//
//     weights, filter  0  1  2 ... 15        eight bits each
//     eor              with eight activations, the same in every byte
//     cnt              16 counts of 0 to 8, added to 16 bytes
//
// A byte holds 31 such counts; then they are added to words, which lie in memory: 4 pixels by 64
// filters of bytes take half of the registers.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kWordsPerSum = 255 / 8;
constexpr std::int64_t kSumsPerCount = 65535 / (8 * kWordsPerSum);

// Bits that differ, for one pixel and a tile of filters.
struct Counts {
  alignas(16) std::uint16_t words[kFilterTile];
};

// The bytes of P pixels and V vectors of filters.
template <int P, int V>
struct Sums {
  uint8x16_t sums[P][V];

  void clear() noexcept {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < V; ++v) sums[p][v] = vdupq_n_u8(0);
    }
  }

  // Counts `words` words of weights, at most kWordsPerSum since they were cleared.
  void count(const std::uint8_t* const (&codes)[P], const std::uint8_t* weights,
             std::int64_t words) noexcept {
    Sums all = *this;  // without an address, and so in registers
    for (std::int64_t word = 0; word < words; ++word) {
      uint8x16_t signs[P];
      for (int p = 0; p < P; ++p) signs[p] = vdupq_n_u8(codes[p][word]);
      for (int v = 0; v < V; ++v) {
        const uint8x16_t w = vld1q_u8(weights + v * kBytes);
        for (int p = 0; p < P; ++p) {
          all.sums[p][v] = vaddq_u8(all.sums[p][v], vcntq_u8(veorq_u8(signs[p], w)));
        }
      }
      weights += kFilterTile;
    }
    *this = all;
  }

  // counts: [P]; added to what is there unless `is_first`.
  void widen(Counts* counts, bool is_first) const noexcept {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < V; ++v) {
        std::uint16_t* out = counts[p].words + v * kBytes;
        uint16x8_t low = vmovl_u8(vget_low_u8(sums[p][v]));
        uint16x8_t high = vmovl_high_u8(sums[p][v]);
        if (!is_first) {
          low = vaddq_u16(low, vld1q_u16(out));
          high = vaddq_u16(high, vld1q_u16(out + 8));
        }
        vst1q_u16(out, low);
        vst1q_u16(out + 8, high);
      }
    }
  }
};

// Counts for P pixels and the first V vectors of a tile of filters. When the words are full,
// on_full() takes what is in `counts`, [P], and counting begins anew.
template <int P, int V, typename OnFull>
void count_vectors(const DenseTile& tile, const std::uint8_t* filters, Counts* counts,
                   const OnFull& on_full) noexcept {
  Sums<P, V> sums;
  sums.clear();
  bool is_first = true;
  std::int64_t words_left = kWordsPerSum;
  std::int64_t sums_left = kSumsPerCount;
  for (std::int64_t ky = 0; ky < tile.kernel_height; ++ky) {
    const std::uint8_t* weights = filters + ky * tile.filter_row_step;
    for (std::int64_t kx = 0; kx < tile.kernel_width; ++kx) {
      for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
        const std::uint8_t* codes[P];
        for (int p = 0; p < P; ++p) {
          codes[p] = tile.codes[p] + ky * tile.row_step + kx * tile.column_step;
        }
        for (std::int64_t left = tile.words; left > 0;) {
          const std::int64_t words = least(left, words_left);
          sums.count(codes, weights, words);
          weights += words * kFilterTile;
          for (int p = 0; p < P; ++p) codes[p] += words;
          left -= words;
          words_left -= words;
          if (words_left > 0) continue;
          sums.widen(counts, is_first);
          sums.clear();
          is_first = false;
          words_left = kWordsPerSum;
          if (--sums_left > 0) continue;
          on_full();
          is_first = true;
          sums_left = kSumsPerCount;
        }
      }
    }
  }
  sums.widen(counts, is_first);
}

// Counts for the tile of filters from `first` on, in as many vectors as there are filters; what is
// behind the last is zeros.
template <int P, typename OnFull>
void count_tile(const DenseTile& tile, std::int64_t first, Counts* counts,
                const OnFull& on_full) noexcept {
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile.filter_tile_step;
  const std::int64_t left = tile.filter_count - first;
  if (left > 2 * kBytes) return count_vectors<P, 4>(tile, filters, counts, on_full);
  if (left > kBytes) return count_vectors<P, 2>(tile, filters, counts, on_full);
  return count_vectors<P, 1>(tile, filters, counts, on_full);
}

// y = start - weight * counts, exact in floats since nothing here reaches 2^24. `start` is the
// number of terms, and when that has been done once (`resumed`), what is in y.
template <int P>
void subtract_counts(const DenseTile& tile, std::int64_t first, const Counts* counts,
                     bool resumed) noexcept {
  const Lanes::Floats weight = Lanes::set(tile.planes == 1 ? 2.0f : 1.0f);
  const Lanes::Floats terms = Lanes::set(static_cast<float>(tile.terms));
  const std::int64_t count = least(tile.filter_count - first, kFilterTile);
  for (int p = 0; p < P; ++p) {
    float* y = tile.y + p * tile.y_step + first;
    for (std::int64_t m = 0; m < count; m += Lanes::kFloats) {
      const Lanes::Floats start = resumed ? Lanes::load_some(y + m, count - m) : terms;
      const Lanes::Floats differ = Lanes::from_words(vld1q_u16(counts[p].words + m));
      Lanes::store_some(y + m, Lanes::subtract(start, Lanes::multiply(differ, weight)), count - m);
    }
  }
}

struct DenseLoop {
  const DenseTile& tile;

  template <int P>
  void run() const noexcept {
    for (std::int64_t first = 0; first < tile.filter_count; first += kFilterTile) {
      Counts counts[P];
      bool resumed = false;
      const auto take = [&]() noexcept {
        subtract_counts<P>(tile, first, counts, resumed);
        resumed = true;
      };
      count_tile<P>(tile, first, counts, take);
      take();
    }
  }
};

// kMostBlockChannels, of two planes, do not fill the words.
struct NeverFull {
  void operator()() const noexcept {}
};
static_assert(2 * kMostBlockChannels <= 8 * kWordsPerSum * (kSumsPerCount - 1));

struct CountLoop {
  const DenseTile& tile;
  std::int64_t first;
  Counts* counts;

  template <int P>
  void run() const noexcept {
    count_tile<P>(tile, first, counts, NeverFull());
  }
};

// The point-wise unit: the counts of a few pixels go through the nearest cache into their epilogue.
struct PointwiseLoop {
  const PointwiseRow& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    DenseTile tile{};
    tile.kernel_height = 1;
    tile.kernel_width = 1;
    tile.words = row.words;
    tile.planes = row.planes;
    tile.filters = row.filters;
    tile.filter_tile_step = row.planes * row.words * kFilterTile;
    tile.filter_count = row.filter_count;
    const uint16x8_t terms = vdupq_n_u16(static_cast<std::uint16_t>(row.channels));
    const uint16x8_t weight = vdupq_n_u16(row.planes == 1 ? 2 : 1);
    // Pixels innermost: a tile of filters stays in the nearest cache for all of them.
    for (std::int64_t first = 0; first < row.filter_count; first += kFilterTile) {
      for (std::int64_t ox = 0; ox < row.width; ox += kEpilogueTile) {
        const std::int64_t pixels = least(kEpilogueTile, row.width - ox);
        Counts counts[kEpilogueTile];
        for (std::int64_t p = 0; p < pixels; p += kPixelTile) {
          count(tile, ox + p, least(kPixelTile, pixels - p), first, counts + p);
        }
        pointwise_epilogue<Lanes, kResidual, kRectify>(
            row, ox, pixels, first, least(kFilterTile, row.filter_count - first),
            [&](std::int64_t p, std::int64_t i) noexcept {
              const uint16x8_t sums = vmlsq_u16(terms, vld1q_u16(counts[p].words + i), weight);
              return Lanes::from_words(vreinterpretq_s16_u16(sums));
            });
      }
    }
  }

  void count(DenseTile& tile, std::int64_t ox, std::int64_t pixels, std::int64_t first,
             Counts* counts) const noexcept {
    for (std::int64_t p = 0; p < pixels; ++p) tile.codes[p] = row.codes + (ox + p) * row.code_step;
    for_count(pixels, CountLoop{tile, first, counts});
  }
};

}  // namespace

void dense_tile(const DenseTile& tile) noexcept {
  static_assert(kPixelTile == 4);
  for_count(tile.pixels, DenseLoop{tile});
}

void pointwise_row(const PointwiseRow& row) noexcept {
  for_unit(row.epilogue.unit, PointwiseLoop{row});
}

}  // namespace bdnet::neon
