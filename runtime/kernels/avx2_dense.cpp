#include <immintrin.h>

#include <cstdint>

#include "avx2.h"
#include "avx2_lanes.h"

// A sum of products of signs is their number less twice the number of products that are -1, which
// are those where the bits of activation and weight differ; of a ternary weight's two planes each
// counts half.
//
// The bits that differ are counted by look-up, four at a time: an activation's nibble chooses a row
// of the table, the weights' nibbles of 32 filters choose its columns, all at once (vpshufb).
//
//     weights, filter  0  1  2 ... 31        one byte each: two nibbles
//     row of nibble a  popcount(a ^ 0), popcount(a ^ 1), ... popcount(a ^ 15)
//     vpshufb          32 counts of 0 to 4, added to 32 bytes
//
// A byte of weights adds at most 8, so the bytes are widened every 31. A row of zeros stands for
// activations that are not there: zero padding.
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kBytesPerSum = 255 / 8;
constexpr std::int64_t kSumsPerWord = 65535 / (8 * kBytesPerSum);

struct CountTable {
  alignas(64) std::uint8_t rows[17][32];
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
static_assert(sizeof(kCounts.rows[0]) == 8 * kNibbleCode);

__m256i table_row(std::uint8_t code) noexcept {
  const std::uint8_t* rows = kCounts.rows[0];
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(rows + std::size_t{8} * code));
}

__m256 words_to_floats(__m128i words) noexcept {
  return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words));
}

// y = start - weight * counts, exact in floats since nothing here reaches 2^24. `start` is the
// number of terms, and when that has been done once (`resumed`), what is in y.
template <int P, int V>
void subtract_counts(const DenseTile& tile, std::int64_t first, const __m256i (&words)[P][V][2],
                     bool resumed) noexcept {
  const __m256 weight = _mm256_set1_ps(tile.planes == 1 ? 2.0f : 1.0f);
  const std::int64_t left = tile.filter_count - first;
  const bool whole = left >= V * kFilterTile && !resumed;
  for (int p = 0; p < P; ++p) {
    float* y = tile.y + p * tile.y_step + first;
    const __m256 terms = _mm256_set1_ps(tile.terms[p]);
    for (int i = 0; i < V * 2; ++i) {
      const __m256i word = words[p][i / 2][i % 2];
      const __m256 low = _mm256_mul_ps(weight, words_to_floats(_mm256_castsi256_si128(word)));
      const __m256 high = _mm256_mul_ps(weight, words_to_floats(_mm256_extracti128_si256(word, 1)));
      float* out = y + i * 2 * kFloats;
      if (whole) {
        _mm256_storeu_ps(out, _mm256_sub_ps(terms, low));
        _mm256_storeu_ps(out + kFloats, _mm256_sub_ps(terms, high));
        continue;
      }
      for (int half = 0; half < 2; ++half) {
        const std::int64_t lanes_left = left - (2 * i + half) * kFloats;
        if (lanes_left <= 0) break;
        const __m256i lanes = first_lanes(lanes_left);
        float* part = out + half * kFloats;
        const __m256 start = resumed ? _mm256_maskload_ps(part, lanes) : terms;
        _mm256_maskstore_ps(part, lanes, _mm256_sub_ps(start, half == 0 ? low : high));
      }
    }
  }
}

// P pixels, V tiles of filters.
template <int P, int V>
void count_filters(const DenseTile& tile, std::int64_t first) noexcept {
  const std::int64_t tile_size =
      tile.kernel_height * tile.kernel_width * tile.planes * tile.tap_bytes * kFilterTile;
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile_size;
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i words[P][V][2];
  __m256i sums[P][V];
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) {
      sums[p][v] = words[p][v][0] = words[p][v][1] = _mm256_setzero_si256();
    }
  }
  const auto widen = [&]() noexcept {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < V; ++v) {
        words[p][v][0] = _mm256_add_epi16(words[p][v][0],
                                          _mm256_cvtepu8_epi16(_mm256_castsi256_si128(sums[p][v])));
        words[p][v][1] = _mm256_add_epi16(
            words[p][v][1], _mm256_cvtepu8_epi16(_mm256_extracti128_si256(sums[p][v], 1)));
        sums[p][v] = _mm256_setzero_si256();
      }
    }
  };

  std::int64_t bytes_left = kBytesPerSum;
  std::int64_t sums_left = kSumsPerWord;
  bool resumed = false;
  for (std::int64_t ky = 0; ky < tile.kernel_height; ++ky) {
    for (std::int64_t kx = 0; kx < tile.kernel_width; ++kx) {
      const std::int64_t offset = ky * tile.row_step + kx * tile.column_step;
      for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
        for (std::int64_t byte = 0; byte < tile.tap_bytes;) {
          const std::int64_t end = byte + least(tile.tap_bytes - byte, bytes_left);
          bytes_left -= end - byte;
          for (; byte < end; ++byte) {
            __m256i low[V];
            __m256i high[V];
            for (int v = 0; v < V; ++v) {
              const __m256i weights =
                  _mm256_loadu_si256(reinterpret_cast<const __m256i*>(filters + v * tile_size));
              low[v] = _mm256_and_si256(weights, nibble);
              high[v] = _mm256_and_si256(_mm256_srli_epi16(weights, 4), nibble);
            }
            for (int p = 0; p < P; ++p) {
              const std::uint8_t* codes = tile.codes[p] + offset + 2 * byte;
              const __m256i low_row = table_row(codes[0]);
              const __m256i high_row = table_row(codes[1]);
              for (int v = 0; v < V; ++v) {
                sums[p][v] = _mm256_add_epi8(sums[p][v], _mm256_shuffle_epi8(low_row, low[v]));
                sums[p][v] = _mm256_add_epi8(sums[p][v], _mm256_shuffle_epi8(high_row, high[v]));
              }
            }
            filters += kFilterTile;
          }
          if (bytes_left > 0) continue;
          widen();
          bytes_left = kBytesPerSum;
          if (--sums_left > 0) continue;
          subtract_counts<P, V>(tile, first, words, resumed);
          resumed = true;
          sums_left = kSumsPerWord;
          for (int p = 0; p < P; ++p) {
            for (int v = 0; v < V; ++v) words[p][v][0] = words[p][v][1] = _mm256_setzero_si256();
          }
        }
      }
    }
  }
  widen();
  subtract_counts<P, V>(tile, first, words, resumed);
}

template <int P>
void count_pixels(const DenseTile& tile) noexcept {
  std::int64_t m = 0;
  for (; m + kFilterTile < tile.filter_count; m += 2 * kFilterTile) count_filters<P, 2>(tile, m);
  if (m < tile.filter_count) count_filters<P, 1>(tile, m);
}

}  // namespace

void dense_tile(const DenseTile& tile) noexcept {
  static_assert(kPixelTile == 4);
  switch (tile.pixels) {
    case 4:
      return count_pixels<4>(tile);
    case 3:
      return count_pixels<3>(tile);
    case 2:
      return count_pixels<2>(tile);
    default:
      return count_pixels<1>(tile);
  }
}

}  // namespace bdnet::avx2
