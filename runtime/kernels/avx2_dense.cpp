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
constexpr std::int64_t kSumsPerWord = 65535 / (4 * kNibblesPerSum);

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

// And what they had counted before they were widened, in words.
template <int P, int V>
struct Counts : ByteCounts<P, V> {
  __m256i words[P][V][2];

  Counts() noexcept {
    unroll<P * V * 2>(
        [&](int i) noexcept { words[i / 2 / V][i / 2 % V][i % 2] = _mm256_setzero_si256(); });
  }

  void widen() noexcept {
    unroll<P * V>([&](int i) noexcept {
      const __m256i sums = this->bytes[i / V][i % V];
      __m256i(&wide)[2] = words[i / V][i % V];
      wide[0] = _mm256_add_epi16(wide[0], _mm256_cvtepu8_epi16(_mm256_castsi256_si128(sums)));
      wide[1] = _mm256_add_epi16(wide[1], _mm256_cvtepu8_epi16(_mm256_extracti128_si256(sums, 1)));
      this->bytes[i / V][i % V] = _mm256_setzero_si256();
    });
  }
};

__m256 words_to_floats(__m128i words) noexcept {
  return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words));
}

// y = start - weight * counts, exact in floats since nothing here reaches 2^24. `start` is the
// number of terms, and when that has been done once (`resumed`), what is in y.
template <int P, int V>
void subtract_counts(const DenseTile& tile, std::int64_t first, const Counts<P, V>& counts,
                     bool resumed) noexcept {
  const __m256 weight = _mm256_set1_ps(tile.planes == 1 ? 2.0f : 1.0f);
  const __m256 terms = _mm256_set1_ps(static_cast<float>(tile.terms));
  const std::int64_t left = tile.filter_count - first;
  for (int p = 0; p < P; ++p) {
    float* y = tile.y + p * tile.y_step + first;
    for (int i = 0; i < V * 4; ++i) {
      const std::int64_t lanes = left - i * Lanes::kFloats;
      if (lanes <= 0) break;
      const __m256i word = counts.words[p][i / 4][i / 2 % 2];
      const __m128i half =
          i % 2 == 0 ? _mm256_castsi256_si128(word) : _mm256_extracti128_si256(word, 1);
      float* out = y + i * Lanes::kFloats;
      const __m256 start = resumed ? Lanes::load_some(out, lanes) : terms;
      Lanes::store_some(out, _mm256_sub_ps(start, _mm256_mul_ps(weight, words_to_floats(half))),
                        lanes);
    }
  }
}

// P pixels, V tiles of filters.
template <int P, int V>
void dense_filters(const DenseTile& tile, std::int64_t first) noexcept {
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile.filter_tile_step;
  Counts<P, V> counts;
  std::int64_t nibbles_left = kNibblesPerSum;
  std::int64_t sums_left = kSumsPerWord;
  bool resumed = false;
  for (std::int64_t ky = 0; ky < tile.kernel_height; ++ky) {
    const std::uint8_t* at = filters + ky * tile.filter_row_step;
    for (std::int64_t kx = 0; kx < tile.kernel_width; ++kx) {
      for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
        const std::uint8_t* codes[P];
        for (int p = 0; p < P; ++p) {
          codes[p] = tile.codes[p] + ky * tile.row_step + kx * tile.column_step;
        }
        for (std::int64_t word = 0; word < tile.words;) {
          const std::int64_t length = least(tile.words - word, nibbles_left);
          counts.count(codes, at, tile.filter_tile_step, length);
          at += length * kFilterTile;
          for (int p = 0; p < P; ++p) codes[p] += length * Codes::kCodeBytes;
          word += length;
          nibbles_left -= length;
          if (nibbles_left > 0) continue;
          counts.widen();
          nibbles_left = kNibblesPerSum;
          if (--sums_left > 0) continue;
          subtract_counts(tile, first, counts, resumed);
          resumed = true;
          sums_left = kSumsPerWord;
          counts = Counts<P, V>();
        }
      }
    }
  }
  counts.widen();
  subtract_counts(tile, first, counts, resumed);
}

template <int P>
void dense_pixels(const DenseTile& tile) noexcept {
  std::int64_t m = 0;
  for (; m + kFilterTile < tile.filter_count; m += 2 * kFilterTile) dense_filters<P, 2>(tile, m);
  if (m < tile.filter_count) dense_filters<P, 1>(tile, m);
}

constexpr std::int64_t kPointwiseFilters = 2 * kFilterTile;

// The sums of products of kEpilogueTile pixels and two tiles of filters, on their way through the
// nearest cache.
using Integers = std::int16_t[kEpilogueTile][kPointwiseFilters];

// Bits that differ in `length` nibbles, at most kNibblesPerSum: counts [P, kPointwiseFilters]. GCC
// keeps the loop within its registers only if it knows nothing of where it is called.
template <int P, int V>
[[gnu::noipa]] void count_nibbles(const std::uint8_t* const (&codes)[P],
                                  const std::uint8_t* filters, std::int64_t tile_step,
                                  std::int64_t length, std::uint8_t* counts) noexcept {
  ByteCounts<P, V> sums;
  sums.count(codes, filters, tile_step, length);
  unroll<P * V>([&](int i) noexcept {
    _mm256_store_si256(
        reinterpret_cast<__m256i*>(counts + i / V * kPointwiseFilters + i % V * kFilterTile),
        sums.bytes[i / V][i % V]);
  });
}

// P pixels from `ox` on, V tiles of filters from `first` on.
template <int P, int V>
void pointwise_filters(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                       std::int16_t (*integers)[kPointwiseFilters]) noexcept {
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
      alignas(32) std::uint8_t counts[P][kPointwiseFilters];
      count_nibbles<P, V>(codes, filters, tile_step, length, counts[0]);
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

template <int P>
void pointwise_pixels(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                      std::int16_t (*integers)[kPointwiseFilters]) noexcept {
  if (row.filter_count - first > kFilterTile) {
    pointwise_filters<P, 2>(row, ox, first, integers);
  } else {
    pointwise_filters<P, 1>(row, ox, first, integers);
  }
}

struct PointwiseLoop {
  const PointwiseRow& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    for (std::int64_t first = 0; first < row.filter_count; first += kPointwiseFilters) {
      for (std::int64_t ox = 0; ox < row.width; ox += kEpilogueTile) {
        const std::int64_t pixels = least(kEpilogueTile, row.width - ox);
        alignas(32) Integers integers;
        for (std::int64_t p = 0; p < pixels; p += kPixelTile) {
          count(ox + p, pixels - p, first, integers + p);
        }
        pointwise_epilogue<Lanes, kResidual, kRectify>(
            row, ox, pixels, first, least(kPointwiseFilters, row.filter_count - first),
            [&](std::int64_t p, std::int64_t i) noexcept {
              return Lanes::from_words(integers[p] + i);
            });
      }
    }
  }

  void count(std::int64_t ox, std::int64_t pixels, std::int64_t first,
             std::int16_t (*integers)[kPointwiseFilters]) const noexcept {
    switch (pixels) {
      case 3:
        return pointwise_pixels<3>(row, ox, first, integers);
      case 2:
        return pointwise_pixels<2>(row, ox, first, integers);
      case 1:
        return pointwise_pixels<1>(row, ox, first, integers);
      default:
        return pointwise_pixels<4>(row, ox, first, integers);
    }
  }
};

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
  for_unit(row.epilogue.unit, PointwiseLoop{row});
}

}  // namespace bdnet::avx2
