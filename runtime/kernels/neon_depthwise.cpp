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
  if (row.kernel_height == 3 && row.kernel_width == 3) {
    // The kernel that nearly every layer has: its nine weights stay in registers.
    int8x16_t weights[9];
    for (int tap = 0; tap < 9; ++tap) weights[tap] = vld1q_s8(filters + tap * row.filter_step);
    const std::int8_t* top = row.rows[0] + first;
    const std::int8_t* middle = row.rows[1] + first;
    const std::int8_t* bottom = row.rows[2] + first;
    for (std::int64_t ox = 0; ox < row.width; ++ox) {
      int8x16_t sums = vdupq_n_s8(0);
      for (int kx = 0; kx < 3; ++kx) {
        const std::int64_t at = ox * row.pixel_step + kx * row.column_step;
        sums = vmlaq_s8(sums, weights[kx], vld1q_s8(top + at));
        sums = vmlaq_s8(sums, weights[3 + kx], vld1q_s8(middle + at));
        sums = vmlaq_s8(sums, weights[6 + kx], vld1q_s8(bottom + at));
      }
      finish(ox, sums, false);
    }
    return;
  }
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kMostBlockTaps) {
      const std::int64_t end = least(begin + kMostBlockTaps, taps);
      int8x16_t sums = vdupq_n_s8(0);
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* signs =
            row.rows[tap / row.kernel_width] + first + tap % row.kernel_width * row.column_step;
        sums = vmlaq_s8(sums, vld1q_s8(filters + tap * row.filter_step),
                        vld1q_s8(signs + ox * row.pixel_step));
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
    sum_row(row, first, [&](std::int64_t ox, int8x16_t values, bool) noexcept {
      vst1q_s8(sums + ox * step + first, values);
    });
  }
}

}  // namespace bdnet::neon
