#pragma once

#include <cstdint>

#include "inner_loops.h"

// The loops over floats, written once for vectors of any length. `Lanes` is the instruction set's:
// avx2_lanes.h shows what it has to offer. Everything is rounded operation by operation, and a lane
// adds what the reference adds, in its order. Internal linkage, see inner_loops.h.
namespace bdnet {
namespace {

// One vector's constants of an epilogue, loaded once for a tile of pixels.
template <typename Lanes>
struct EpilogueVector {
  typename Lanes::Floats scale, bn_mul, bn_add, shift_in, slope, shift_out;

  EpilogueVector(const UnitConstants& constants, std::int64_t channel) noexcept
      : scale(Lanes::load(constants.scale + channel)),
        bn_mul(Lanes::load(constants.bn_mul + channel)),
        bn_add(Lanes::load(constants.bn_add + channel)),
        shift_in(Lanes::load(constants.shift_in + channel)),
        slope(Lanes::load(constants.slope + channel)),
        shift_out(Lanes::load(constants.shift_out + channel)) {}

  template <Residual kResidual, bool kRectify>
  typename Lanes::Floats apply(typename Lanes::Floats t,
                               typename Lanes::Floats shortcut) const noexcept {
    t = Lanes::multiply(t, scale);
    if constexpr (kResidual == Residual::kBeforeNorm) t = Lanes::add(t, shortcut);
    t = Lanes::multiply(t, bn_mul);
    t = Lanes::add(t, bn_add);
    if constexpr (kResidual == Residual::kAfterNorm) t = Lanes::add(t, shortcut);
    t = Lanes::add(t, shift_in);
    t = Lanes::where_negative(t, kRectify ? Lanes::zero() : Lanes::multiply(t, slope));
    return Lanes::add(t, shift_out);
  }
};

// Calls loop.template run<residual, rectify>() for what the unit has.
template <typename Loop>
void for_unit(const UnitAttributes& unit, const Loop& loop) noexcept {
  switch (unit.residual) {
    case Residual::kNone:
      return unit.rectify ? loop.template run<Residual::kNone, true>()
                          : loop.template run<Residual::kNone, false>();
    case Residual::kBeforeNorm:
      return unit.rectify ? loop.template run<Residual::kBeforeNorm, true>()
                          : loop.template run<Residual::kBeforeNorm, false>();
    case Residual::kAfterNorm:
      return unit.rectify ? loop.template run<Residual::kAfterNorm, true>()
                          : loop.template run<Residual::kAfterNorm, false>();
  }
}

// `Codes` is the instruction set's: kChannels to a step, at least a vector and no more than a
// word's; store(codes, channel, bits) writes those of a vector's signs.
template <typename Lanes, typename Codes>
struct DepthwiseEpilogueLoop {
  const DepthwiseEpilogue& row;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    std::int64_t ox = 0;
    for (; ox + kPixelTile <= row.width; ox += kPixelTile) {
      tile<kResidual, kRectify, kPixelTile>(ox);
    }
    for (; ox < row.width; ++ox) tile<kResidual, kRectify, 1>(ox);
  }

  template <Residual kResidual, bool kRectify, std::int64_t kPixels>
  void tile(std::int64_t ox) const noexcept {
    const std::int64_t step = row.step;
    const std::int64_t shortcut_step = row.shortcut_step;
    const std::int64_t code_step = row.code_step;
    const std::int8_t* sums = row.sums + ox * step;
    const float* shortcut = row.shortcut + ox * shortcut_step;
    float* y = row.y + ox * step;
    std::uint8_t* codes = row.codes + ox * code_step;
    std::int64_t c = 0;
    for (; c + Lanes::kFloats <= row.channels; c += Lanes::kFloats) {
      const EpilogueVector<Lanes> constants(row.epilogue.constants, c);
      const auto next_shift = Lanes::load(row.next_shift + c);
      // Nothing is stored before all pixels are there: for all the compiler knows, what one pixel
      // writes could be what the next one reads.
      typename Lanes::Floats t[kPixels];
      for (std::int64_t p = 0; p < kPixels; ++p) {
        auto x = Lanes::zero();
        if constexpr (kResidual != Residual::kNone) {
          x = Lanes::load(shortcut + p * shortcut_step + c);
        }
        t[p] = constants.template apply<kResidual, kRectify>(Lanes::from_bytes(sums + p * step + c),
                                                             x);
      }
      for (std::int64_t p = 0; p < kPixels; ++p) {
        Lanes::store(y + p * step + c, t[p]);
        t[p] = Lanes::add(t[p], next_shift);
      }
      std::uint32_t bits[kPixels];
      for (std::int64_t p = 0; p < kPixels; ++p) bits[p] = Lanes::sign_bits(t[p]);
      for (std::int64_t p = 0; p < kPixels; ++p) Codes::store(codes + p * code_step, c, bits[p]);
    }
    for (; c < Codes::padded(row.channels); c += Lanes::kFloats) {
      const std::int64_t count = row.channels - c;
      for (std::int64_t p = 0; p < kPixels; ++p) {
        std::uint32_t bits = 0;
        if (count > 0) {
          const EpilogueVector<Lanes> constants(row.epilogue.constants, c);
          auto x = Lanes::zero();
          if constexpr (kResidual != Residual::kNone) {
            x = Lanes::load_some(shortcut + p * shortcut_step + c, count);
          }
          const auto t = constants.template apply<kResidual, kRectify>(
              Lanes::from_bytes(sums + p * step + c), x);
          Lanes::store(y + p * step + c, t);
          bits = Lanes::sign_bits(Lanes::add(t, Lanes::load(row.next_shift + c))) &
                 ((1u << count) - 1);
        }
        Codes::store(codes + p * code_step, c, bits);
      }
    }
  }
};

// The epilogue of kPixels pixels from `ox` on and the `count` filters from `first` on;
// integers(p, i) gives those of filters first + i to first + i + kFloats.
template <typename Lanes, Residual kResidual, bool kRectify, std::int64_t kPixels,
          typename Integers>
void pointwise_epilogue(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                        std::int64_t count, const Integers& integers) noexcept {
  const std::int64_t shortcut_step = row.shortcut_step;
  const std::int64_t shortcut_channels = row.shortcut_channels;
  const std::int64_t filter_count = row.filter_count;
  const UnitConstants all = row.epilogue.constants;
  const float* shortcut = row.shortcut + ox * shortcut_step;
  float* y = row.y + ox * filter_count + first;
  std::int64_t from = first % shortcut_channels;
  // One vector of filters of all pixels, before any of them is stored.
  typename Lanes::Floats t[kPixels];
  const auto finish = [&](std::int64_t i) noexcept {
    const EpilogueVector<Lanes> constants(all, first + i);
    for (std::int64_t p = 0; p < kPixels; ++p) {
      auto x = Lanes::zero();
      if constexpr (kResidual != Residual::kNone) {
        x = Lanes::load(shortcut + p * shortcut_step + from);
      }
      t[p] = constants.template apply<kResidual, kRectify>(integers(p, i), x);
    }
    from += Lanes::kFloats;
    if (from >= shortcut_channels) from = 0;
  };
  std::int64_t i = 0;
  for (; i + Lanes::kFloats <= count; i += Lanes::kFloats) {
    finish(i);
    for (std::int64_t p = 0; p < kPixels; ++p) Lanes::store(y + p * filter_count + i, t[p]);
  }
  if (i < count) {
    finish(i);
    for (std::int64_t p = 0; p < kPixels; ++p) {
      Lanes::store_some(y + p * filter_count + i, t[p], count - i);
    }
  }
}

// Filters lie across the lanes. P pixels from `ox` on, V vectors of filters from `first` on; only
// V == 1 may be partial. With kInside no tap is in the padding.
template <typename Lanes, int P, int V, bool kInside>
void ordered_tile(const OrderedRow& row, std::int64_t ox, std::int64_t first) noexcept {
  static constexpr float kZero = 0.0f;
  const std::int64_t count = row.filters - first;
  const float* weight = row.weight + first;
  typename Lanes::Floats sums[P][V];
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < V; ++v) sums[p][v] = Lanes::zero();
  }
  for (std::int64_t ky = 0; ky < row.kernel_height; ++ky) {
    const std::int64_t iy = row.top + ky * row.dilation_y;
    for (std::int64_t kx = 0; kx < row.kernel_width; ++kx) {
      // A tap in the padding reads one zero again and again.
      const float* x[P];
      std::int64_t step[P];
      for (int p = 0; p < P; ++p) {
        const std::int64_t ix = row.left + (ox + p) * row.stride + kx * row.dilation_x;
        const bool inside = kInside || (iy >= 0 && iy < row.height && ix >= 0 && ix < row.width);
        x[p] = inside ? row.image + iy * row.row_step + ix * row.column_step : &kZero;
        step[p] = inside ? row.channel_step : 0;
      }
      for (std::int64_t c = 0; c < row.channels; ++c) {
        typename Lanes::Floats w[V];
        for (int v = 0; v < V; ++v) {
          w[v] =
              V == 1 ? Lanes::load_some(weight, count) : Lanes::load(weight + v * Lanes::kFloats);
        }
        for (int p = 0; p < P; ++p) {
          const auto value = Lanes::set(x[p][c * step[p]]);
          for (int v = 0; v < V; ++v) {
            sums[p][v] = Lanes::add(sums[p][v], Lanes::multiply(value, w[v]));
          }
        }
        weight += row.filters;
      }
    }
  }
  for (int v = 0; v < V; ++v) {
    const std::int64_t m = first + v * Lanes::kFloats;
    if (row.bn_mul != nullptr) {
      const auto bn_mul = Lanes::load_some(row.bn_mul + m, row.filters - m);
      const auto bn_add = Lanes::load_some(row.bn_add + m, row.filters - m);
      for (int p = 0; p < P; ++p) {
        sums[p][v] = Lanes::add(Lanes::multiply(sums[p][v], bn_mul), bn_add);
      }
    }
    for (int p = 0; p < P; ++p) {
      Lanes::store_some(row.y + (ox + p) * row.filters + m, sums[p][v], row.filters - m);
    }
  }
}

template <typename Lanes, int P, bool kInside>
void ordered_pixels(const OrderedRow& row, std::int64_t ox) noexcept {
  constexpr int kVectors = Lanes::kOrderedVectors;
  std::int64_t first = 0;
  for (; first + kVectors * Lanes::kFloats <= row.filters; first += kVectors * Lanes::kFloats) {
    ordered_tile<Lanes, P, kVectors, kInside>(row, ox, first);
  }
  for (; first < row.filters; first += Lanes::kFloats) {
    ordered_tile<Lanes, P, 1, kInside>(row, ox, first);
  }
}

template <typename Lanes>
void ordered_conv_row(const OrderedRow& row) noexcept {
  constexpr int kPixels = Lanes::kOrderedPixels;
  const bool rows_inside =
      row.top >= 0 && row.top + (row.kernel_height - 1) * row.dilation_y < row.height;
  std::int64_t ox = 0;
  while (ox + kPixels <= row.output_width) {
    const std::int64_t left = row.left + ox * row.stride;
    const std::int64_t last =
        left + (kPixels - 1) * row.stride + (row.kernel_width - 1) * row.dilation_x;
    if (rows_inside && left >= 0 && last < row.width) {
      ordered_pixels<Lanes, kPixels, true>(row, ox);
    } else {
      ordered_pixels<Lanes, kPixels, false>(row, ox);
    }
    ox += kPixels;
  }
  for (; ox < row.output_width; ++ox) ordered_pixels<Lanes, 1, false>(row, ox);
}

// Channels lie across the lanes.
template <typename Lanes>
void average_tile(const PoolTile& tile) noexcept {
  const auto taps = Lanes::set(static_cast<float>(tile.height * tile.width));
  for (std::int64_t c = 0; c < tile.channels; c += Lanes::kFloats) {
    const std::int64_t count = tile.channels - c;
    auto sum = Lanes::zero();
    for (std::int64_t y = 0; y < tile.height; ++y) {
      const float* x = tile.x + y * tile.row_step + c;
      for (std::int64_t tap = 0; tap < tile.width; ++tap) {
        const float* at = x + tap * tile.channels;
        sum = Lanes::add(sum,
                         count >= Lanes::kFloats ? Lanes::load(at) : Lanes::load_some(at, count));
      }
    }
    Lanes::store_some(tile.y + c, Lanes::divide(sum, taps), count);
  }
}

}  // namespace
}  // namespace bdnet
