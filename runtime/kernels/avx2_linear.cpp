#include <immintrin.h>

#include <cstdint>

#include "avx2_counts.h"
#include "avx2_loops.h"
#include "unroll.h"

// Linear layers: dense convolutions of one tap whose weights are read once, from memory, so that
// their bytes count for more than the instructions that take two nibbles out of each. Signs are
// summed by look-up, see avx2_counts.h.
namespace bdnet::avx2 {
namespace {

// Bits that differ in `length` words, two nibbles each: added to counts [P, kTileFilters]. By
// itself for the reason of count_nibbles().
template <int P, int V>
[[gnu::noipa]] void count_bytes(const std::uint8_t* const (&codes)[P], const std::uint8_t* filters,
                                std::int64_t tile_step, std::int64_t length,
                                std::uint8_t* counts) noexcept {
  const auto place = [&](int i) noexcept {
    return reinterpret_cast<__m256i*>(counts + i / V * kTileFilters + i % V * kFilterTile);
  };
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i sums[P][V];
  unroll<P * V>([&](int i) noexcept { sums[i / V][i % V] = _mm256_load_si256(place(i)); });
#pragma GCC unroll 2
  for (std::int64_t word = 0; word < length; ++word) {
    __m256i low[V];
    __m256i high[V];
    unroll<V>([&](int v) noexcept {
      const __m256i weights =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(filters + v * tile_step));
      low[v] = _mm256_and_si256(weights, nibble);
      high[v] = _mm256_and_si256(_mm256_srli_epi16(weights, 4), nibble);
    });
    unroll<P>([&](int p) noexcept {
      const __m256i first = table_row(codes[p][2 * word]);
      const __m256i second = table_row(codes[p][2 * word + 1]);
      unroll<V>([&](int v) noexcept {
        const __m256i count = _mm256_add_epi8(_mm256_shuffle_epi8(first, low[v]),
                                              _mm256_shuffle_epi8(second, high[v]));
        sums[p][v] = _mm256_add_epi8(sums[p][v], count);
      });
    });
    filters += kFilterTile;
  }
  unroll<P * V>([&](int i) noexcept { _mm256_store_si256(place(i), sums[i / V][i % V]); });
}

// P rows, V tiles of filters.
template <int P, int V>
void linear_filters(const DenseTile& tile, std::int64_t first) noexcept {
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile.filter_tile_step;
  Totals<P> sums;
  for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
    const std::uint8_t* codes[P];
    for (int p = 0; p < P; ++p) codes[p] = tile.codes[p];
    for (std::int64_t word = 0; word < tile.words;) {
      const std::int64_t length = least(tile.words - word, sums.nibbles_left / 2);
      count_bytes<P, V>(codes, filters, tile.filter_tile_step, length, sums.bytes[0]);
      filters += length * kFilterTile;
      for (int p = 0; p < P; ++p) codes[p] += 2 * length * Codes::kCodeBytes;
      word += length;
      sums.nibbles_left -= 2 * length;
      if (sums.nibbles_left < 2) sums.widen();
    }
  }
  store_sums(tile, first, least(V * kFilterTile, tile.filter_count - first), &sums);
}

struct LinearLoop {
  const DenseTile& tile;

  template <int P>
  void run() const noexcept {
    std::int64_t m = 0;
    for (; m + kFilterTile < tile.filter_count; m += 2 * kFilterTile) linear_filters<P, 2>(tile, m);
    if (m < tile.filter_count) linear_filters<P, 1>(tile, m);
  }
};

}  // namespace

void linear_tile(const DenseTile& tile) noexcept {
  static_assert(kPixelTile == 4);
  for_count(tile.pixels, LinearLoop{tile});
}

}  // namespace bdnet::avx2
