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

  // terms - counts, or terms - 2 * counts of a single plane.
  Lanes::Floats integers(int p, int v, __m512i terms, std::int64_t planes) const noexcept {
    const __m512i c = counts[p][v];
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(terms, planes == 1 ? _mm512_add_epi32(c, c) : c));
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
  const __m512i terms = _mm512_set1_epi32(static_cast<int>(tile.terms));
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) {
      const std::int64_t m = first + v * kFilterTile;
      Lanes::store_some(tile.y + p * tile.y_step + m, counts.integers(p, v, terms, tile.planes),
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

// The point-wise unit.
struct PointwiseLoop {
  const PointwiseRow& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    std::int64_t ox = 0;
    for (; ox + 4 <= row.width; ox += 4) pixels<kResidual, kRectify, 4>(ox);
    switch (row.width - ox) {
      case 3:
        return pixels<kResidual, kRectify, 3>(ox);
      case 2:
        return pixels<kResidual, kRectify, 2>(ox);
      case 1:
        return pixels<kResidual, kRectify, 1>(ox);
      default:
        return;
    }
  }

  template <Residual kResidual, bool kRectify, int P>
  void pixels(std::int64_t ox) const noexcept {
    std::int64_t m = 0;
    for (; m + kVectors * kFilterTile <= row.filter_count; m += kVectors * kFilterTile) {
      filters<kResidual, kRectify, P, kVectors>(ox, m);
    }
    for (; m < row.filter_count; m += kFilterTile) filters<kResidual, kRectify, P, 1>(ox, m);
  }

  template <Residual kResidual, bool kRectify, int P, int V>
  void filters(std::int64_t ox, std::int64_t first) const noexcept {
    const std::int64_t tile_step = row.planes * row.words * kWordStep;
    const std::uint8_t* at = row.filters + first / kFilterTile * tile_step;
    const std::uint8_t* codes[P];
    for (int p = 0; p < P; ++p) codes[p] = row.codes + (ox + p) * row.code_step;
    Counts<P, V> counts;
    for (std::int64_t plane = 0; plane < row.planes; ++plane) {
      counts.count(codes, at + plane * row.words * kWordStep, tile_step, row.words);
    }
    const __m512i terms = _mm512_set1_epi32(static_cast<int>(row.channels));
    pointwise_epilogue<Lanes, kResidual, kRectify, P>(
        row, ox, first, least(V * kFilterTile, row.filter_count - first),
        [&](std::int64_t p, std::int64_t i) noexcept {
          return counts.integers(static_cast<int>(p), static_cast<int>(i / kFilterTile), terms,
                                 row.planes);
        });
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
