#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "avx512_codes.h"
#include "avx512_lanes.h"
#include "avx512_loops.h"
#include "lane_loops.h"

// A sum of products of signs is their number less twice the number of products that are -1, which
// are those where the bits of activation and weight differ; of a ternary weight's two planes each
// counts half. 16 filters lie across the lanes, 32 channels in each: one word of activations for
// all of them, vpxord, vpopcntd, vpaddd.
namespace bdnet::avx512 {
namespace {

constexpr int kVectors = 4;  // of filters, to a tile
constexpr std::int64_t kWordStep = kFilterTile * Codes::kWordBytes;

// Bits that differ, for P pixels and V tiles of 16 filters. Sums stay below 2^25.
template <int P, int V>
struct Counts {
  __m512i counts[P][V];

  Counts() noexcept {
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < V; ++v) counts[p][v] = _mm512_setzero_si512();
    }
  }

  void count(const std::uint8_t* const (&codes)[P], const std::uint8_t* filters,
             std::int64_t tile_step, std::int64_t words) noexcept {
    for (std::int64_t word = 0; word < words; ++word) {
      __m512i weights[V];
      for (int v = 0; v < V; ++v) weights[v] = _mm512_loadu_si512(filters + v * tile_step);
      for (int p = 0; p < P; ++p) {
        std::int32_t bits;
        std::memcpy(&bits, codes[p] + word * Codes::kCodeBytes, sizeof(bits));
        const __m512i activation = _mm512_set1_epi32(bits);
        for (int v = 0; v < V; ++v) {
          const __m512i differ = _mm512_xor_si512(activation, weights[v]);
          counts[p][v] = _mm512_add_epi32(counts[p][v], _mm512_popcnt_epi32(differ));
        }
      }
      filters += kWordStep;
    }
  }

  // The sums of products, as floats: terms - counts, or terms - 2 * counts of a single plane.
  // sums: [P, kVectors * kFilterTile].
  void subtract_from(std::int64_t terms, std::int64_t planes, float* sums) const noexcept {
    const __m512i all = _mm512_set1_epi32(static_cast<int>(terms));
    const __m128i shift = _mm_cvtsi32_si128(planes == 1 ? 1 : 0);
    for (int p = 0; p < P; ++p) {
      for (int v = 0; v < V; ++v) {
        const __m512i weighted = _mm512_sll_epi32(counts[p][v], shift);
        Lanes::store(sums + (p * kVectors + v) * kFilterTile,
                     _mm512_cvtepi32_ps(_mm512_sub_epi32(all, weighted)));
      }
    }
  }
};

// P pixels, V tiles of filters.
template <int P, int V>
void dense_filters(const DenseTile& tile, std::int64_t first) noexcept {
  const std::uint8_t* filters = tile.filters + first / kFilterTile * tile.filter_tile_step;
  Counts<P, V> counts;
  for (std::int64_t ky = 0; ky < tile.kernel_height; ++ky) {
    const std::uint8_t* at = filters + ky * tile.filter_row_step;
    for (std::int64_t kx = 0; kx < tile.kernel_width; ++kx) {
      const std::uint8_t* codes[P];
      for (int p = 0; p < P; ++p) {
        codes[p] = tile.codes[p] + ky * tile.row_step + kx * tile.column_step;
      }
      for (std::int64_t plane = 0; plane < tile.planes; ++plane) {
        counts.count(codes, at, tile.filter_tile_step, tile.words);
        at += tile.words * kWordStep;
      }
    }
  }
  alignas(64) float sums[P * kVectors * kFilterTile];
  counts.subtract_from(tile.terms, tile.planes, sums);
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) {
      const std::int64_t m = first + v * kFilterTile;
      Lanes::store_some(tile.y + p * tile.y_step + m,
                        Lanes::load(sums + (p * kVectors + v) * kFilterTile),
                        tile.filter_count - m);
    }
  }
}

template <int P>
void dense_pixels(const DenseTile& tile) noexcept {
  std::int64_t m = 0;
  for (; m + kVectors * kFilterTile <= tile.filter_count; m += kVectors * kFilterTile) {
    dense_filters<P, kVectors>(tile, m);
  }
  for (; m < tile.filter_count; m += kFilterTile) dense_filters<P, 1>(tile, m);
}

constexpr std::int64_t kPointwiseFilters = kVectors * kFilterTile;

// P pixels from `ox` on, V tiles of filters from `first` on. sums: [P, kPointwiseFilters].
template <int P, int V>
void pointwise_filters(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                       float* sums) noexcept {
  const std::int64_t plane_step = row.words * kWordStep;
  const std::int64_t tile_step = row.planes * plane_step;
  const std::uint8_t* filters = row.filters + first / kFilterTile * tile_step;
  const std::uint8_t* codes[P];
  for (int p = 0; p < P; ++p) codes[p] = row.codes + (ox + p) * row.code_step;
  Counts<P, V> counts;
  for (std::int64_t plane = 0; plane < row.planes; ++plane) {
    counts.count(codes, filters + plane * plane_step, tile_step, row.words);
  }
  counts.subtract_from(row.channels, row.planes, sums);
}

template <int P>
void pointwise_pixels(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                      float* sums) noexcept {
  const std::int64_t left = row.filter_count - first;
  if (left > 2 * kFilterTile) {
    if (left > 3 * kFilterTile) return pointwise_filters<P, 4>(row, ox, first, sums);
    return pointwise_filters<P, 3>(row, ox, first, sums);
  }
  if (left > kFilterTile) return pointwise_filters<P, 2>(row, ox, first, sums);
  return pointwise_filters<P, 1>(row, ox, first, sums);
}

struct PointwiseLoop {
  const PointwiseRow& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    for (std::int64_t ox = 0; ox < row.width; ox += kEpilogueTile) {
      const std::int64_t pixels = least(kEpilogueTile, row.width - ox);
      for (std::int64_t first = 0; first < row.filter_count; first += kPointwiseFilters) {
        alignas(64) float sums[kEpilogueTile * kPointwiseFilters];
        for (std::int64_t p = 0; p < pixels; p += kPixelTile) {
          count(ox + p, pixels - p, first, sums + p * kPointwiseFilters);
        }
        pointwise_epilogue<Lanes, kResidual, kRectify>(
            row, ox, pixels, first, least(kPointwiseFilters, row.filter_count - first),
            [&](std::int64_t p, std::int64_t i) noexcept {
              return Lanes::load(sums + p * kPointwiseFilters + i);
            });
      }
    }
  }

  void count(std::int64_t ox, std::int64_t pixels, std::int64_t first, float* sums) const noexcept {
    switch (pixels) {
      case 3:
        return pointwise_pixels<3>(row, ox, first, sums);
      case 2:
        return pointwise_pixels<2>(row, ox, first, sums);
      case 1:
        return pointwise_pixels<1>(row, ox, first, sums);
      default:
        return pointwise_pixels<4>(row, ox, first, sums);
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

}  // namespace bdnet::avx512
