#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "avx512_codes.h"
#include "avx512_lanes.h"
#include "avx512_loops.h"
#include "lane_loops.h"
#include "unroll.h"

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
    unroll<P * V>([&](int i) noexcept { counts[i / V][i % V] = _mm512_setzero_si512(); });
  }

  void count(const std::uint8_t* const (&codes)[P], const std::uint8_t* filters,
             std::int64_t tile_step, std::int64_t words) noexcept {
    for (std::int64_t word = 0; word < words; ++word) {
      __m512i weights[V];
      unroll<V>([&](int v) noexcept { weights[v] = _mm512_loadu_si512(filters + v * tile_step); });
      unroll<P>([&](int p) noexcept {
        std::int32_t bits;
        std::memcpy(&bits, codes[p] + word * Codes::kCodeBytes, sizeof(bits));
        const __m512i activation = _mm512_set1_epi32(bits);
        unroll<V>([&](int v) noexcept {
          const __m512i differ = _mm512_xor_si512(activation, weights[v]);
          counts[p][v] = _mm512_add_epi32(counts[p][v], _mm512_popcnt_epi32(differ));
        });
      });
      filters += kWordStep;
    }
  }
};

// From counts to sums of products: terms - weight * count. All three are integers that floats hold
// exactly, and so may be fused.
struct Sums {
  Lanes::Floats terms;
  Lanes::Floats weight;

  Sums(std::int64_t count, std::int64_t planes) noexcept
      : terms(Lanes::set(static_cast<float>(count))),
        weight(Lanes::set(planes == 1 ? 2.0f : 1.0f)) {}

  Lanes::Floats of(__m512i counts) const noexcept {
    return _mm512_fnmadd_ps(_mm512_cvtepi32_ps(counts), weight, terms);
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
  const Sums sums(tile.terms, tile.planes);
  unroll<P * V>([&](int i) noexcept {
    const std::int64_t m = first + i % V * kFilterTile;
    Lanes::store_some(tile.y + i / V * tile.y_step + m, sums.of(counts.counts[i / V][i % V]),
                      tile.filter_count - m);
  });
}

struct DenseLoop {
  const DenseTile& tile;

  template <int P>
  void run() const noexcept {
    std::int64_t m = 0;
    for (; m + kVectors * kFilterTile <= tile.filter_count; m += kVectors * kFilterTile) {
      dense_filters<P, kVectors>(tile, m);
    }
    for (; m < tile.filter_count; m += kFilterTile) dense_filters<P, 1>(tile, m);
  }
};

// The point-wise unit of P pixels from `ox` on and V tiles of filters from `first` on. More pixels
// than a dense tile has, since the constants are loaded once for all. Everything is inlined, so
// that counts need not leave their registers.
template <Residual kResidual, bool kRectify, int P, int V>
[[gnu::flatten]] void pointwise_filters(const PointwiseRow& row, std::int64_t ox,
                                        std::int64_t first) noexcept {
  const std::int64_t plane_step = row.words * kWordStep;
  const std::int64_t tile_step = row.planes * plane_step;
  const std::uint8_t* filters = row.filters + first / kFilterTile * tile_step;
  const std::uint8_t* codes[P];
  for (int p = 0; p < P; ++p) codes[p] = row.codes + (ox + p) * row.code_step;
  Counts<P, V> counts;
  for (std::int64_t plane = 0; plane < row.planes; ++plane) {
    counts.count(codes, filters + plane * plane_step, tile_step, row.words);
  }
  const Sums sums(row.channels, row.planes);
  pointwise_tile<Lanes, kResidual, kRectify, P, V>(
      row, ox, first, [&](int p, int v) noexcept { return sums.of(counts.counts[p][v]); });
}

struct PointwiseLoop {
  static constexpr int kPixels = 8;
  static constexpr int kTiles = 2;

  const PointwiseRow& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    std::int64_t m = 0;
    for (; m + kTiles * kFilterTile <= row.filter_count; m += kTiles * kFilterTile) {
      pixels<kResidual, kRectify, kTiles>(m);
    }
    for (; m < row.filter_count; m += kFilterTile) pixels<kResidual, kRectify, 1>(m);
  }

  // All pixels for filters that have been loaded.
  template <Residual kResidual, bool kRectify, int V>
  void pixels(std::int64_t first) const noexcept {
    std::int64_t ox = 0;
    for (; ox + kPixels <= row.width; ox += kPixels) {
      pointwise_filters<kResidual, kRectify, kPixels, V>(row, ox, first);
    }
    last_pixels<kResidual, kRectify, kPixels - 1, V>(ox, first);
  }

  // At most P pixels.
  template <Residual kResidual, bool kRectify, int P, int V>
  void last_pixels(std::int64_t ox, std::int64_t first) const noexcept {
    if constexpr (P > 0) {
      if (row.width - ox == P) return pointwise_filters<kResidual, kRectify, P, V>(row, ox, first);
      last_pixels<kResidual, kRectify, P - 1, V>(ox, first);
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

}  // namespace bdnet::avx512
