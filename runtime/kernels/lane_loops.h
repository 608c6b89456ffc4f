#pragma once

#include <cstdint>
#include <type_traits>

#include "inner_loops.h"
#include "unroll.h"

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
    t = kRectify ? Lanes::where_negative(t, Lanes::zero()) : Lanes::prelu(t, slope);
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

// Does `pixels` pixels, as many at once as Lanes says: group(n) does the next n, a compile-time
// number. A group's results are stored when all are there: for all the compiler knows what one
// pixel stores is what the next one loads, and a processor that works in order would wait for it.
// Small groups are written out four times, which spares the others the loop's own instructions.
template <typename Lanes, typename Group>
void in_groups(std::int64_t pixels, const Group& group) noexcept {
  constexpr int kGroup = Lanes::kEpiloguePixels;
  if constexpr (kGroup < 4) {
#pragma GCC unroll 4
    for (; pixels >= kGroup; pixels -= kGroup) group(std::integral_constant<int, kGroup>());
  } else {
#pragma GCC unroll 1  // not twice, where GCC sees that there are no more than two
    for (; pixels >= kGroup; pixels -= kGroup) group(std::integral_constant<int, kGroup>());
  }
  for (; pixels > 0; --pixels) group(std::integral_constant<int, 1>());
}

// `Codes` is the instruction set's: store(codes, channel, bits) writes those of a vector's signs,
// and padded() counts channels in whole words.
template <typename Lanes, typename Codes>
struct DepthwiseEpilogueLoop {
  const DepthwiseEpilogue& all;

  template <Residual kResidual, bool kRectify>
  void run() const noexcept {
    // A copy: codes are bytes, and for all the compiler knows a byte that is stored may be part of
    // whatever has an address.
    const DepthwiseEpilogue row = all;
    for (std::int64_t ox = 0; ox < row.width; ox += kEpilogueTile) {
      const std::int64_t end = ox + kEpilogueTile < row.width ? ox + kEpilogueTile : row.width;
      std::int64_t c = 0;
      for (; c + Lanes::kFloats <= row.channels; c += Lanes::kFloats) {
        vectors<kResidual, kRectify, false>(row, ox, end, c);
      }
      if (c < row.channels) {
        vectors<kResidual, kRectify, true>(row, ox, end, c);
        c += Lanes::kFloats;
      }
      for (; c < Codes::padded(row.channels); c += Lanes::kFloats) {
        for (std::int64_t p = ox; p < end; ++p) Codes::store(row.codes + p * row.code_step, c, 0);
      }
    }
  }

  // One vector of channels of the pixels from `ox` to `end`; with kPartial there are fewer channels
  // than lanes.
  template <Residual kResidual, bool kRectify, bool kPartial>
  static void vectors(const DepthwiseEpilogue& row, std::int64_t ox, std::int64_t end,
                      std::int64_t c) noexcept {
    const EpilogueVector<Lanes> constants(row.epilogue.constants, c);
    const auto threshold = Lanes::load(row.next_threshold + c);
    const std::int8_t* sums = row.sums + ox * row.step + c;
    const float* shortcut = row.shortcut + ox * row.shortcut_step + c;
    float* y = row.y + ox * row.step + c;
    std::uint8_t* codes = row.codes + ox * row.code_step;
    in_groups<Lanes>(end - ox, [&](auto group) noexcept {
      constexpr int kGroup = decltype(group)::value;
      typename Lanes::Floats t[kGroup];
      for (int p = 0; p < kGroup; ++p) {
        auto x = Lanes::zero();
        if constexpr (kResidual != Residual::kNone) {
          x = kPartial ? Lanes::load_some(shortcut, row.channels - c) : Lanes::load(shortcut);
        }
        t[p] = constants.template apply<kResidual, kRectify>(Lanes::from_bytes(sums), x);
        sums += row.step;
        shortcut += row.shortcut_step;
      }
      for (int p = 0; p < kGroup; ++p) {
        Lanes::store(y, t[p]);
        std::uint32_t bits = Lanes::sign_bits(t[p], threshold);
        if constexpr (kPartial) bits &= (1u << (row.channels - c)) - 1;
        Codes::store(codes, c, bits);
        y += row.step;
        codes += row.code_step;
      }
    });
  }
};

// The epilogue of `pixels` pixels and one vector of filters, of which there are `count`, if fewer
// than lanes. y, shortcut: of the first pixel; integers(p) gives the sums of a pixel.
template <typename Lanes, Residual kResidual, bool kRectify, bool kPartial, typename Integers>
void pointwise_vectors(const PointwiseRow& row, const EpilogueVector<Lanes>& constants,
                       const float* shortcut, float* y, std::int64_t pixels, std::int64_t count,
                       const Integers& integers) noexcept {
  const std::int64_t shortcut_step = row.shortcut_step;
  const std::int64_t y_step = row.filter_count;
  std::int64_t pixel = 0;
  in_groups<Lanes>(pixels, [&](auto group) noexcept {
    constexpr int kGroup = decltype(group)::value;
    typename Lanes::Floats t[kGroup];
    for (int p = 0; p < kGroup; ++p) {
      auto x = Lanes::zero();
      if constexpr (kResidual != Residual::kNone) x = Lanes::load(shortcut);
      t[p] = constants.template apply<kResidual, kRectify>(integers(pixel), x);
      shortcut += shortcut_step;
      ++pixel;
    }
    for (int p = 0; p < kGroup; ++p) {
      if constexpr (kPartial) {
        Lanes::store_some(y, t[p], count);
      } else {
        Lanes::store(y, t[p]);
      }
      y += y_step;
    }
  });
}

// The epilogue of `pixels` pixels from `ox` on and the `count` filters from `first` on;
// integers(p, i) gives those of filters first + i to first + i + kFloats.
template <typename Lanes, Residual kResidual, bool kRectify, typename Integers>
void pointwise_epilogue(const PointwiseRow& row, std::int64_t ox, std::int64_t pixels,
                        std::int64_t first, std::int64_t count, const Integers& integers) noexcept {
  std::int64_t from = first;
  while (from >= row.shortcut_channels)
    from -= row.shortcut_channels;  // once or twice: no division
  for (std::int64_t i = 0; i < count; i += Lanes::kFloats) {
    const EpilogueVector<Lanes> constants(row.epilogue.constants, first + i);
    const float* shortcut = row.shortcut + ox * row.shortcut_step + from;
    float* y = row.y + ox * row.filter_count + first + i;
    const auto sums = [&](std::int64_t p) noexcept { return integers(p, i); };
    if (count - i >= Lanes::kFloats) {
      pointwise_vectors<Lanes, kResidual, kRectify, false>(row, constants, shortcut, y, pixels,
                                                           count - i, sums);
    } else {
      pointwise_vectors<Lanes, kResidual, kRectify, true>(row, constants, shortcut, y, pixels,
                                                          count - i, sums);
    }
    from += Lanes::kFloats;
    if (from >= row.shortcut_channels) from = 0;
  }
}

// The epilogue of P pixels from `ox` on and V vectors of filters from `first` on, of which the last
// may be partial if it is the only one; integers(p, v) gives their sums, in registers.
template <typename Lanes, Residual kResidual, bool kRectify, int P, int V, typename Integers>
void pointwise_tile(const PointwiseRow& row, std::int64_t ox, std::int64_t first,
                    const Integers& integers) noexcept {
  const std::int64_t shortcut_step = row.shortcut_step;
  const std::int64_t y_step = row.filter_count;
  std::int64_t from = first;
  unroll<V>([&](int v) noexcept {
    const std::int64_t m = first + v * Lanes::kFloats;
    while (from >= row.shortcut_channels) from -= row.shortcut_channels;  // few times: no division
    const EpilogueVector<Lanes> constants(row.epilogue.constants, m);
    const float* shortcut = row.shortcut + ox * row.shortcut_step + from;
    float* y = row.y + ox * row.filter_count + m;
    unroll<P>([&](int p) noexcept {
      auto x = Lanes::zero();
      if constexpr (kResidual != Residual::kNone) x = Lanes::load(shortcut + p * shortcut_step);
      const auto t = constants.template apply<kResidual, kRectify>(integers(p, v), x);
      float* out = y + p * y_step;
      if constexpr (V == 1) {
        Lanes::store_some(out, t, row.filter_count - m);
      } else {
        Lanes::store(out, t);
      }
    });
    from += Lanes::kFloats;
  });
}

// Filters lie across the lanes. P pixels from `ox` on, V vectors of filters from `first` on; only
// V == 1 may be partial.
template <typename Lanes, int P, int V>
struct OrderedTile {
  typename Lanes::Floats sums[P][V];

  OrderedTile() noexcept {
    unroll<P * V>([&](int i) noexcept { sums[i / V][i % V] = Lanes::zero(); });
  }

  // Adds the products of one tap and channel. value(p) is that of a pixel.
  template <typename Value>
  void add(const float* weight, std::int64_t count, const Value& value) noexcept {
    typename Lanes::Floats w[V];
    unroll<V>([&](int v) noexcept {
      w[v] = V == 1 ? Lanes::load_some(weight, count) : Lanes::load(weight + v * Lanes::kFloats);
    });
    unroll<P>([&](int p) noexcept {
      const auto x = Lanes::set(value(p));
      unroll<V>(
          [&](int v) noexcept { sums[p][v] = Lanes::add(sums[p][v], Lanes::multiply(x, w[v])); });
    });
  }

  // Normalises and stores.
  void finish(const OrderedRow& row, std::int64_t ox, std::int64_t first) const noexcept {
    float* y = row.y + ox * row.filters + first;
    for (int v = 0; v < V; ++v) {
      const std::int64_t m = first + v * Lanes::kFloats;
      const std::int64_t count = row.filters - m;
      auto bn_mul = Lanes::zero();
      auto bn_add = Lanes::zero();
      if (row.bn_mul != nullptr) {
        bn_mul = Lanes::load_some(row.bn_mul + m, count);
        bn_add = Lanes::load_some(row.bn_add + m, count);
      }
      for (int p = 0; p < P; ++p) {
        auto t = sums[p][v];
        if (row.bn_mul != nullptr) t = Lanes::add(Lanes::multiply(t, bn_mul), bn_add);
        float* out = y + p * row.filters + v * Lanes::kFloats;
        if constexpr (V == 1) {
          Lanes::store_some(out, t, count);
        } else {
          Lanes::store(out, t);
        }
      }
    }
  }
};

// Where the taps of a pixel are, from its first on, in the order of their sum; for kernels of up to
// kMost taps and channels. One loop over them is faster than three.
struct TapOffsets {
  static constexpr std::int64_t kMost = 128;
  std::int64_t count = 0;
  std::int64_t at[kMost];

  explicit TapOffsets(const OrderedRow& row) noexcept {
    if (row.kernel_height * row.kernel_width * row.channels > kMost) return;
    for (std::int64_t ky = 0; ky < row.kernel_height; ++ky) {
      for (std::int64_t kx = 0; kx < row.kernel_width; ++kx) {
        for (std::int64_t c = 0; c < row.channels; ++c) {
          at[count++] = ky * row.dilation_y * row.row_step + kx * row.dilation_x * row.column_step +
                        c * row.channel_step;
        }
      }
    }
  }
};

// No tap is in the padding. kPixelStep is the number of floats from a pixel to the next where it is
// known when this is compiled, so that one address serves all pixels; else 0.
template <typename Lanes, int P, int V, std::int64_t kPixelStep>
void ordered_inside(const OrderedRow& row, const TapOffsets& offsets, std::int64_t ox,
                    std::int64_t first) noexcept {
  const std::int64_t pixel_step = kPixelStep != 0 ? kPixelStep : row.stride * row.column_step;
  const std::int64_t count = row.filters - first;
  const float* weight = row.weight + first;
  const float* corner =
      row.image + row.top * row.row_step + (row.left + ox * row.stride) * row.column_step;
  OrderedTile<Lanes, P, V> tile;
  for (std::int64_t tap = 0; tap < offsets.count; ++tap) {
    const float* x = corner + offsets.at[tap];
    tile.add(weight, count, [&](int p) noexcept { return x[p * pixel_step]; });
    weight += row.filters;
  }
  tile.finish(row, ox, first);
}

template <typename Lanes, int P, int V>
void ordered_anywhere(const OrderedRow& row, std::int64_t ox, std::int64_t first) noexcept {
  static constexpr float kZero = 0.0f;
  const std::int64_t count = row.filters - first;
  const float* weight = row.weight + first;
  OrderedTile<Lanes, P, V> tile;
  for (std::int64_t ky = 0; ky < row.kernel_height; ++ky) {
    const std::int64_t iy = row.top + ky * row.dilation_y;
    for (std::int64_t kx = 0; kx < row.kernel_width; ++kx) {
      // A tap in the padding reads one zero again and again.
      const float* x[P];
      std::int64_t step[P];
      for (int p = 0; p < P; ++p) {
        const std::int64_t ix = row.left + (ox + p) * row.stride + kx * row.dilation_x;
        const bool inside = iy >= 0 && iy < row.height && ix >= 0 && ix < row.width;
        x[p] = inside ? row.image + iy * row.row_step + ix * row.column_step : &kZero;
        step[p] = inside ? row.channel_step : 0;
      }
      for (std::int64_t c = 0; c < row.channels; ++c) {
        tile.add(weight, count, [&](int p) noexcept { return x[p][c * step[p]]; });
        weight += row.filters;
      }
    }
  }
  tile.finish(row, ox, first);
}

enum class Taps { kAnywhere, kInside, kInsideStep1, kInsideStep2 };

template <typename Lanes, int P, int V>
void ordered_tile(const OrderedRow& row, const TapOffsets& offsets, Taps taps, std::int64_t ox,
                  std::int64_t first) noexcept {
  switch (taps) {
    case Taps::kAnywhere:
      return ordered_anywhere<Lanes, P, V>(row, ox, first);
    case Taps::kInside:
      return ordered_inside<Lanes, P, V, 0>(row, offsets, ox, first);
    case Taps::kInsideStep1:
      return ordered_inside<Lanes, P, V, 1>(row, offsets, ox, first);
    case Taps::kInsideStep2:
      return ordered_inside<Lanes, P, V, 2>(row, offsets, ox, first);
  }
}

template <typename Lanes, int P>
void ordered_pixels(const OrderedRow& row, const TapOffsets& offsets, Taps taps,
                    std::int64_t ox) noexcept {
  constexpr int kVectors = Lanes::kOrderedVectors;
  std::int64_t first = 0;
  for (; first + kVectors * Lanes::kFloats <= row.filters; first += kVectors * Lanes::kFloats) {
    ordered_tile<Lanes, P, kVectors>(row, offsets, taps, ox, first);
  }
  for (; first < row.filters; first += Lanes::kFloats) {
    ordered_tile<Lanes, P, 1>(row, offsets, taps, ox, first);
  }
}

// A cache line of floats.
constexpr std::int64_t kFetchStep = 16;

// Fetches what the next output row reads below the pixels from `ox` on, and this row did not.
// Always inlined: GCC finds that a function which only fetches does nothing, and drops its calls.
[[gnu::always_inline]] inline void fetch_next_rows(const OrderedRow& row, std::int64_t ox,
                                                   std::int64_t pixels) noexcept {
  const std::int64_t left = row.left + ox * row.stride;
  const std::int64_t right = left + pixels * row.stride;
  const std::int64_t first = left < 0 ? 0 : left;
  const std::int64_t last = right < row.width ? right : row.width;
  const bool planar = row.column_step == 1;
  const std::int64_t planes = planar ? row.channels : 1;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    const float* x = row.image + plane * row.channel_step + row.next_top * row.row_step;
    for (std::int64_t y = 0; y < row.next_rows; ++y, x += row.row_step) {
      for (std::int64_t at = first * row.column_step; at < last * row.column_step;
           at += kFetchStep) {
        __builtin_prefetch(x + at);
      }
    }
  }
}

// The pixels from `begin` to `end`. The last tile ends with them: rather than one by one, a few of
// its pixels are done twice.
template <typename Lanes>
void ordered_span(const OrderedRow& row, const TapOffsets& offsets, Taps taps, std::int64_t begin,
                  std::int64_t end) noexcept {
  constexpr int kPixels = Lanes::kOrderedPixels;
  if (end - begin < kPixels) {
    for (; begin < end; ++begin) ordered_pixels<Lanes, 1>(row, offsets, taps, begin);
    return;
  }
  for (; begin < end; begin += kPixels) {
    if (begin > end - kPixels) begin = end - kPixels;
    fetch_next_rows(row, begin, kPixels);
    ordered_pixels<Lanes, kPixels>(row, offsets, taps, begin);
  }
}

template <typename Lanes>
void ordered_conv_row(const OrderedRow& row) noexcept {
  const TapOffsets offsets(row);
  // The pixels none of whose taps is in the padding.
  std::int64_t begin = row.output_width;
  std::int64_t end = row.output_width;
  if (offsets.count > 0 && row.top >= 0 &&
      row.top + (row.kernel_height - 1) * row.dilation_y < row.height) {
    const std::int64_t last = row.left + (row.kernel_width - 1) * row.dilation_x;
    begin = 0;
    while (begin < end && row.left + begin * row.stride < 0) ++begin;
    while (begin < end && last + (end - 1) * row.stride >= row.width) --end;
  }
  const std::int64_t step = row.stride * row.column_step;
  const Taps inside = step == 1   ? Taps::kInsideStep1
                      : step == 2 ? Taps::kInsideStep2
                                  : Taps::kInside;
  ordered_span<Lanes>(row, offsets, Taps::kAnywhere, 0, begin);
  ordered_span<Lanes>(row, offsets, inside, begin, end);
  ordered_span<Lanes>(row, offsets, Taps::kAnywhere, end, row.output_width);
}

// Channels lie across the lanes. `taps` divides, or its inverse multiplies where that is exact.
template <typename Lanes>
struct Average {
  typename Lanes::Floats taps;
  bool is_exact;

  explicit Average(std::int64_t count) noexcept
      // A power of two: multiplying by its inverse rounds the same number, and once, too.
      : is_exact((count & (count - 1)) == 0) {
    const auto value = static_cast<float>(count);
    taps = Lanes::set(is_exact ? 1.0f / value : value);
  }

  typename Lanes::Floats of(typename Lanes::Floats sum) const noexcept {
    return is_exact ? Lanes::multiply(sum, taps) : Lanes::divide(sum, taps);
  }
};

// One pixel of kernel_height x width taps.
template <typename Lanes>
void average_pixel(const PoolRow& row, const float* x, std::int64_t width, float* y) noexcept {
  const Average<Lanes> average(row.kernel_height * width);
  for (std::int64_t c = 0; c < row.channels; c += Lanes::kFloats) {
    const std::int64_t count = row.channels - c;
    auto sum = Lanes::zero();
    for (std::int64_t ky = 0; ky < row.kernel_height; ++ky) {
      for (std::int64_t kx = 0; kx < width; ++kx) {
        const float* at = x + ky * row.row_step + kx * row.channels + c;
        sum = Lanes::add(sum,
                         count >= Lanes::kFloats ? Lanes::load(at) : Lanes::load_some(at, count));
      }
    }
    Lanes::store_some(y + c, average.of(sum), count);
  }
}

template <typename Lanes>
void average_row(const PoolRow& row) noexcept {
  const bool is_2x2 = row.kernel_height == 2 && row.kernel_width == 2;
  const Average<Lanes> quarter(4);
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    const std::int64_t left = ox * row.kernel_width;
    const std::int64_t width =
        row.columns - left < row.kernel_width ? row.columns - left : row.kernel_width;
    const float* x = row.x + left * row.channels;
    float* y = row.y + ox * row.y_step;
    if (!is_2x2 || width != 2 || row.channels % Lanes::kFloats != 0) {
      average_pixel<Lanes>(row, x, width, y);
      continue;
    }
    // The shortcut of nearly every strided layer.
    const float* below = x + row.row_step;
    for (std::int64_t c = 0; c < row.channels; c += Lanes::kFloats) {
      auto sum = Lanes::add(Lanes::load(x + c), Lanes::load(x + row.channels + c));
      sum = Lanes::add(sum, Lanes::load(below + c));
      sum = Lanes::add(sum, Lanes::load(below + row.channels + c));
      Lanes::store(y + c, quarter.of(sum));
    }
  }
}

}  // namespace
}  // namespace bdnet
