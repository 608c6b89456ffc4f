#include <immintrin.h>

#include <cstdint>

#include "avx2_codes.h"
#include "avx2_lanes.h"
#include "avx2_loops.h"
#include "lane_loops.h"
#include "unroll.h"

// A sum of products of signs is their number less twice the number of products that are -1, which
// are those where the bits of activation and weight differ; of a ternary weight's two planes each
// counts half.
//
// The bits that differ are counted by look-up, four at a time: an activation's nibble chooses a row
// of the table, the weights' nibbles of 32 filters choose its columns, all at once (vpshufb).
//
//     weights, filter  0  1  2 ... 31        one nibble each, in a byte
//     row of nibble a  popcount(a ^ 0), popcount(a ^ 1), ... popcount(a ^ 15)
//     vpshufb          32 counts of 0 to 4, added to 32 bytes
//
// A nibble adds at most 4, so the bytes are widened every 63.
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kNibblesPerSum = 255 / 4;

struct CountTable {
  alignas(64) std::uint8_t rows[16][32];
};

constexpr CountTable make_count_table() {
  CountTable table{};
  for (unsigned a = 0; a < 16; ++a) {
    for (unsigned column = 0; column < 32; ++column) {
      const unsigned differ = a ^ (column % 16);
      table.rows[a][column] = static_cast<std::uint8_t>((differ & 1) + (differ >> 1 & 1) +
                                                        (differ >> 2 & 1) + (differ >> 3 & 1));
    }
  }
  return table;
}

constexpr CountTable kCounts = make_count_table();
static_assert(sizeof(kCounts.rows[0]) == 8 * Codes::kNibbleCode);

__m256i table_row(std::uint8_t code) noexcept {
  const std::uint8_t* rows = kCounts.rows[0];
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(rows + std::size_t{8} * code));
}

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

// A tile of filters at its widest, and how many bytes, and integers, a pixel has for it in memory.
constexpr std::int64_t kTileFilters = 2 * kFilterTile;

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

// Bits that differ so far, in bytes while they fit, then in totals.
template <int P>
struct Totals {
  alignas(32) std::uint8_t bytes[P][kTileFilters] = {};
  alignas(32) std::int32_t totals[P][kTileFilters] = {};
  std::int64_t nibbles_left = kNibblesPerSum;

  void widen() noexcept {
    for (int p = 0; p < P; ++p) {
      for (std::int64_t m = 0; m < kTileFilters; m += Lanes::kFloats) {
        auto* total = reinterpret_cast<__m256i*>(totals[p] + m);
        const __m256i more =
            _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes[p] + m)));
        _mm256_store_si256(total, _mm256_add_epi32(_mm256_load_si256(total), more));
      }
      for (std::int64_t m = 0; m < kTileFilters; m += kFilterTile) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(bytes[p] + m), _mm256_setzero_si256());
      }
    }
    nibbles_left = kNibblesPerSum;
  }
};

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
  sums.widen();
  // Exact in floats, since nothing here reaches 2^24.
  const __m256 weight = Lanes::set(tile.planes == 1 ? 2.0f : 1.0f);
  const __m256 terms = Lanes::set(static_cast<float>(tile.terms));
  const std::int64_t count = least(V * kFilterTile, tile.filter_count - first);
  for (int p = 0; p < P; ++p) {
    float* y = tile.y + p * tile.y_step + first;
    for (std::int64_t m = 0; m < count; m += Lanes::kFloats) {
      const __m256 total = _mm256_cvtepi32_ps(
          _mm256_load_si256(reinterpret_cast<const __m256i*>(sums.totals[p] + m)));
      Lanes::store_some(y + m, _mm256_sub_ps(terms, Lanes::multiply(weight, total)), count - m);
    }
  }
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
