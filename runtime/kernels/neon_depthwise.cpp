#include <cstdint>

#include "neon_lanes.h"
#include "neon_loops.h"

// Signs and weights as bytes, 16 channels to a vector, multiplied and added (mla), so that zero
// padding is an activation like any other. Sums of up to 127 products fit into a byte.
namespace bdnet::neon {
namespace {

// Calls finish(pixel, sums, add) with the sums of 16 channels from `first` on, for every pixel; for
// more than kMostBlockTaps taps in parts, where `add` says that this is not the first.
template <typename Finish>
void sum_row(const DepthwiseRow& row, std::int64_t first, const Finish& finish) noexcept {
  const std::int8_t* filters = row.filters + first;
  // Copied, since for all the compiler knows what finish() writes could be `row`.
  const std::int64_t width = row.width;
  const std::int64_t pixel_step = row.pixel_step;
  const std::int64_t column_step = row.column_step;
  if (row.kernel_height == 3 && row.kernel_width == 3) {
    // The kernel that nearly every layer has: its nine weights stay in registers.
    int8x16_t weights[9];
    for (int tap = 0; tap < 9; ++tap) weights[tap] = vld1q_s8(filters + tap * row.filter_step);
    const std::int8_t* rows[] = {row.rows[0] + first, row.rows[1] + first, row.rows[2] + first};
    for (std::int64_t ox = 0; ox < width; ++ox) {
      int8x16_t sums = vdupq_n_s8(0);
      for (int tap = 0; tap < 9; ++tap) {
        sums = vmlaq_s8(sums, weights[tap], vld1q_s8(rows[tap / 3] + tap % 3 * column_step));
      }
      finish(ox, sums, false);
      for (const std::int8_t*& at : rows) at += pixel_step;
    }
    return;
  }
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  for (std::int64_t ox = 0; ox < width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kMostBlockTaps) {
      const std::int64_t end = least(begin + kMostBlockTaps, taps);
      int8x16_t sums = vdupq_n_s8(0);
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* signs =
            row.rows[tap / row.kernel_width] + first + tap % row.kernel_width * column_step;
        sums = vmlaq_s8(sums, vld1q_s8(filters + tap * row.filter_step),
                        vld1q_s8(signs + ox * pixel_step));
      }
      finish(ox, sums, begin > 0);
    }
  }
}

// y = sums for the first `count` of 16 channels, or y + sums; integers below 2^24 either way.
void store_floats(int8x16_t sums, std::int64_t count, bool add, float* y) noexcept {
  const int16x8_t halves[] = {vmovl_s8(vget_low_s8(sums)), vmovl_high_s8(sums)};
  for (const int16x8_t half : halves) {
    if (count <= 0) return;
    Lanes::Floats value = Lanes::from_words(half);
    if (add) value = Lanes::add(Lanes::load_some(y, count), value);
    Lanes::store_some(y, value, count);
    y += Lanes::kFloats;
    count -= Lanes::kFloats;
  }
}

}  // namespace

void depthwise_row(const DepthwiseRow& row, float* y) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row(row, first, [&](std::int64_t ox, int8x16_t sums, bool add) noexcept {
      store_floats(sums, row.channels - first, add, y + ox * row.channels + first);
    });
  }
}

void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row(row, first, [=](std::int64_t ox, int8x16_t values, bool) noexcept {
      vst1q_s8(sums + ox * step + first, values);
    });
  }
}

}  // namespace bdnet::neon
