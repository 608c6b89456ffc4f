#pragma once

#include <cstdint>

#include "inner_loops.h"

// The loops over one row of a depth-wise convolution, written once for vectors of any length.
// `Weights` is the instruction set's, one tap of a vector of channels: avx2_sign_weights.h shows
// what it has to offer. Internal linkage, see inner_loops.h.
namespace bdnet {
namespace {

// 3 x 3 taps, which nearly every layer has: calls finish(pixel, sums) with the sums of a vector of
// channels from `first` on, for every pixel. What is read of `row` is copied, since for all the
// compiler knows a byte that is stored may be part of it.
template <typename Weights, typename Finish>
void sum_row_3x3(const DepthwiseRow& row, std::int64_t first, Finish finish) noexcept {
  using Bytes = typename Weights::Bytes;
  const std::int8_t* filters = row.filters + first;
  const Weights weights[9] = {Weights(filters),
                              Weights(filters + row.filter_step),
                              Weights(filters + 2 * row.filter_step),
                              Weights(filters + 3 * row.filter_step),
                              Weights(filters + 4 * row.filter_step),
                              Weights(filters + 5 * row.filter_step),
                              Weights(filters + 6 * row.filter_step),
                              Weights(filters + 7 * row.filter_step),
                              Weights(filters + 8 * row.filter_step)};
  Bytes start = Weights::zero();
  for (const Weights& weight : weights) start = weight.add_correction(start);
  const std::int8_t* top = row.rows[0] + first;
  const std::int8_t* middle = row.rows[1] + first;
  const std::int8_t* bottom = row.rows[2] + first;
  const std::int64_t width = row.width;
  const std::int64_t pixel_step = row.pixel_step;
  const std::int64_t column_step = row.column_step;
  struct Column {
    Bytes top, middle, bottom;
  };
  const auto load = [&](std::int64_t at) noexcept {
    return Column{Weights::load(top + at), Weights::load(middle + at), Weights::load(bottom + at)};
  };
  const auto add = [&](Bytes sums, int kx, const Column& signs) noexcept {
    sums = weights[kx].add_product(sums, signs.top);
    sums = weights[3 + kx].add_product(sums, signs.middle);
    return weights[6 + kx].add_product(sums, signs.bottom);
  };
  if (pixel_step == column_step) {
    // A column of signs is loaded once, for the three pixels that read it.
    Column signs = load(0);
    Bytes sums = add(start, 0, signs);
    signs = load(column_step);
    sums = add(sums, 1, signs);
    Bytes next = add(start, 0, signs);
    for (std::int64_t ox = 0; ox < width; ++ox) {
      signs = load((ox + 2) * column_step);
      finish(ox, add(sums, 2, signs));
      sums = add(next, 1, signs);
      next = add(start, 0, signs);
    }
    return;
  }
  for (std::int64_t ox = 0; ox < width; ++ox) {
    const std::int64_t at = ox * pixel_step;
    Bytes sums = add(start, 0, load(at));
    sums = add(sums, 1, load(at + column_step));
    finish(ox, add(sums, 2, load(at + 2 * column_step)));
  }
}

// Any taps: calls finish(pixel, sums, add); for more than kMostBlockTaps taps in parts, where `add`
// says that this is not the first.
template <typename Weights, typename Finish>
void sum_row(const DepthwiseRow& row, std::int64_t first, Finish finish) noexcept {
  using Bytes = typename Weights::Bytes;
  if (row.kernel_height == 3 && row.kernel_width == 3) {
    return sum_row_3x3<Weights>(
        row, first, [=](std::int64_t ox, Bytes sums) noexcept { finish(ox, sums, false); });
  }
  const std::int8_t* filters = row.filters + first;
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kMostBlockTaps) {
      const std::int64_t end = begin + kMostBlockTaps < taps ? begin + kMostBlockTaps : taps;
      Bytes sums = Weights::zero();
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* signs =
            row.rows[tap / row.kernel_width] + first + tap % row.kernel_width * row.column_step;
        const Weights weights(filters + tap * row.filter_step);
        sums = weights.add_correction(
            weights.add_product(sums, Weights::load(signs + ox * row.pixel_step)));
      }
      finish(ox, sums, begin > 0);
    }
  }
}

}  // namespace
}  // namespace bdnet
