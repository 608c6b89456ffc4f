#include <immintrin.h>

#include <cstdint>

#include "avx2_codes.h"
#include "avx2_counts.h"
#include "avx2_lanes.h"
#include "avx2_loops.h"
#include "lane_loops.h"
#include "unroll.h"

// Signs are summed by look-up, see avx2_counts.h.
namespace bdnet::avx2 {
namespace {

// Bits that differ, for P pixels and V tiles of 32 filters.
template <int P, int V>
struct ByteCounts {
  __m256i bytes[P][V];

  ByteCounts() noexcept {
    unroll<P * V>([&](int i) noexcept { bytes[i / V][i % V] = _mm256_setzero_si256(); });
  }

  // Counts `length` nibbles of weights; no more than kNibblesPerSum in all.
  void count(const std::uint8_t* const (&codes)[P], const std::uint8_t* filters,
             std::int64_t tile_step, std::int64_t length) noexcept {
#pragma GCC unroll 2
    for (std::int64_t nibble = 0; nibble < length; ++nibble) {
      __m256i weights[V];
      unroll<V>([&](int v) noexcept {
        weights[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(filters + v * tile_step));
      });
      unroll<P>([&](int p) noexcept {
        const __m256i row = table_row(codes[p][nibble]);
        unroll<V>([&](int v) noexcept {
          bytes[p][v] = _mm256_add_epi8(bytes[p][v], _mm256_shuffle_epi8(row, weights[v]));
        });
      });
      filters += kFilterTile;
    }
  }
};

// Bits that differ in `length` nibbles: counts [P, kTileFilters], or what is added to them with
// kMore; no more than kNibblesPerSum in all. GCC keeps the loop within its registers only if it
// knows nothing of where it is called.
template <int P, int V, bool kMore>
[[gnu::noipa]] void count_nibbles(const std::uint8_t* const (&codes)[P],
                                  const std::uint8_t* filters, std::int64_t tile_step,
                                  std::int64_t length, std::uint8_t* counts) noexcept {
  const auto place = [&](int i) noexcept {
    return reinterpret_cast<__m256i*>(counts + i / V * kTileFilters + i % V * kFilterTile);
  };
  ByteCounts<P, V> sums;
  if constexpr (kMore) {
    unroll<P * V>([&](int i) noexcept { sums.bytes[i / V][i % V] = _mm256_load_si256(place(i)); });
  }
  sums.count(codes, filters, tile_step, length);
  unroll<P * V>([&](int i) noexcept { _mm256_store_si256(place(i), sums.bytes[i / V][i % V]); });
}

// P pixels, V tiles of filters.
template <int P, int V>
void dense_filters(const DenseTile& tile, std::int64_t first) noexcept {
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile.filter_tile_step;
  Totals<P> sums;
  for (std::int64_t ky = 0; ky < tile.kernel_height; ++ky) {
    const std::uint8_t* at = filters + ky * tile.filter_row_step;
    for (std::int64_t kx = 0; kx < tile.kernel_width; ++kx) {
      for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
        const std::uint8_t* codes[P];
        for (int p = 0; p < P; ++p) {
          codes[p] = tile.codes[p] + ky * tile.row_step + kx * tile.column_step;
        }
        for (std::int64_t word = 0; word < tile.words;) {
          const std::int64_t length = least(tile.words - word, sums.nibbles_left);
          count_nibbles<P, V, true>(codes, at, tile.filter_tile_step, length, sums.bytes[0]);
          at += length * kFilterTile;
          for (int p = 0; p < P; ++p) codes[p] += length * Codes::kCodeBytes;
          word += length;
          sums.nibbles_left -= length;
          if (sums.nibbles_left == 0) sums.widen();
        }
      }
    }
  }
  store_sums(tile, first, least(V * kFilterTile, tile.filter_count - first), &sums);
}

struct DenseLoop {
  const DenseTile& tile;

  template <int P>
  void run() const noexcept {
    std::int64_t m = 0;
    for (; m + kFilterTile < tile.filter_count; m += 2 * kFilterTile) dense_filters<P, 2>(tile, m);
    if (m < tile.filter_count) dense_filters<P, 1>(tile, m);
  }
};

// The sums of products of kEpilogueTile pixels and two tiles of filters, on their way through the
// nearest cache.
using Integers = std::int16_t[kEpilogueTile][kTileFilters];

// P pixels from `ox` on, V tiles of filters from `first` on.
template <int P, int V>
void pointwise_filters(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                       std::int16_t (*integers)[kTileFilters]) noexcept {
  const std::int64_t tile_step = row.planes * row.words * kFilterTile;
  const std::uint8_t* filters = row.filters + first / kFilterTile * tile_step;
  const __m256i terms = _mm256_set1_epi16(static_cast<std::int16_t>(row.channels));
  const __m128i shift = _mm_cvtsi32_si128(row.planes == 1 ? 1 : 0);
  bool resumed = false;
  for (std::int64_t plane = 0; plane < row.planes; ++plane) {
    for (std::int64_t word = 0; word < row.words; word += kNibblesPerSum) {
      const std::int64_t length = least(row.words - word, kNibblesPerSum);
      const std::uint8_t* codes[P];
      for (int p = 0; p < P; ++p) codes[p] = row.codes + (ox + p) * row.code_step + word;
      alignas(32) std::uint8_t counts[P][kTileFilters];
      count_nibbles<P, V, false>(codes, filters, tile_step, length, counts[0]);
      filters += length * kFilterTile;
      // Terms less weighted counts, in as many steps as there are parts.
      for (int p = 0; p < P; ++p) {
        for (int m = 0; m < V * kFilterTile; m += 16) {
          auto* to = reinterpret_cast<__m256i*>(integers[p] + m);
          const __m256i count =
              _mm256_cvtepu8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(counts[p] + m)));
          _mm256_store_si256(to, _mm256_sub_epi16(resumed ? _mm256_load_si256(to) : terms,
                                                  _mm256_sll_epi16(count, shift)));
        }
      }
      resumed = true;
    }
  }
}

struct PointwiseCounts {
  const PointwiseRow& row;
  std::int64_t ox;
  std::int64_t first;
  std::int16_t (*integers)[kTileFilters];

  template <int P>
  void run() const noexcept {
    if (row.filter_count - first > kFilterTile) {
      pointwise_filters<P, 2>(row, ox, first, integers);
    } else {
      pointwise_filters<P, 1>(row, ox, first, integers);
    }
  }
};

struct PointwiseLoop {
  const PointwiseRow& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    for (std::int64_t first = 0; first < row.filter_count; first += kTileFilters) {
      for (std::int64_t ox = 0; ox < row.width; ox += kEpilogueTile) {
        const std::int64_t pixels = least(kEpilogueTile, row.width - ox);
        alignas(32) Integers integers;
        for (std::int64_t p = 0; p < pixels; p += kPixelTile) {
          for_count(pixels - p, PointwiseCounts{row, ox + p, first, integers + p});
        }
        pointwise_epilogue<Lanes, kResidual, kRectify>(
            row, ox, pixels, first, least(kTileFilters, row.filter_count - first),
            [&](std::int64_t p, std::int64_t i) noexcept {
              return Lanes::from_words(integers[p] + i);
            });
      }
    }
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

}  // namespace bdnet::avx2
