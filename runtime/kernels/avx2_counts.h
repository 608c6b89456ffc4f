#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "avx2_codes.h"
#include "avx2_lanes.h"
#include "avx2_loops.h"

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
// Internal linkage, see inner_loops.h.
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

// A tile of filters at its widest, and how many bytes, and integers, a pixel has for it in memory.
constexpr std::int64_t kTileFilters = 2 * kFilterTile;

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

// From counts to `count` sums of products for each of P pixels, from filter `first` on.
template <int P>
void store_sums(const DenseTile& tile, std::int64_t first, std::int64_t count,
                Totals<P>* sums) noexcept {
  sums->widen();
  // Exact in floats, since nothing here reaches 2^24.
  const __m256 weight = Lanes::set(tile.planes == 1 ? 2.0f : 1.0f);
  const __m256 terms = Lanes::set(static_cast<float>(tile.terms));
  for (int p = 0; p < P; ++p) {
    float* y = tile.y + p * tile.y_step + first;
    for (std::int64_t m = 0; m < count; m += Lanes::kFloats) {
      const __m256 total = _mm256_cvtepi32_ps(
          _mm256_load_si256(reinterpret_cast<const __m256i*>(sums->totals[p] + m)));
      Lanes::store_some(y + m, _mm256_sub_ps(terms, Lanes::multiply(weight, total)), count - m);
    }
  }
}

}  // namespace
}  // namespace bdnet::avx2
