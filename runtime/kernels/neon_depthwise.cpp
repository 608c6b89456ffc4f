#include <cstdint>
#include <cstring>

#include "neon_epilogue.h"
#include "neon_lanes.h"
#include "neon_loops.h"

// Signs and weights as bytes, 16 channels to a vector, multiplied and added (mla): padding of zeros
// is an activation like any other. Sums of up to 127 products fit into a byte.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kTapsPerSum = 127;

// Where sums go: to floats, or to bytes.
struct FloatSums {
  float* y;
  std::int64_t channels;

  // The sums of 16 channels of a pixel, or, after the first 127 taps, to be added to what is there.
  void put(std::int64_t pixel, std::int64_t first, int8x16_t sums, bool add) const noexcept {
    const int16x8_t low = vmovl_s8(vget_low_s8(sums));
    const int16x8_t high = vmovl_high_s8(sums);
    const int32x4_t parts[] = {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low),
                               vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)};
    float* out = y + pixel * channels + first;
    for (std::int64_t part = 0; part < 4; ++part, out += kFloats) {
      const std::int64_t left = channels - first - part * kFloats;
      if (left <= 0) break;
      float32x4_t value = vcvtq_f32_s32(parts[part]);
      if (add) value = vaddq_f32(load_floats(out, left), value);
      store_floats(out, value, left);
    }
  }
};

struct ByteSums {
  std::int8_t* sums;
  std::int64_t step;

  // Never more than 127 taps.
  void put(std::int64_t pixel, std::int64_t first, int8x16_t values, bool /*add*/) const noexcept {
    vst1q_s8(sums + pixel * step + first, values);
  }
};

// The kernel that nearly every depth-wise layer has: its nine weights stay in registers for the
// whole row of pixels.
template <typename Sums>
void row_3x3(const DepthwiseRow& row, std::int64_t first, const Sums& out) noexcept {
  int8x16_t weights[9];
  for (int tap = 0; tap < 9; ++tap) {
    weights[tap] = vld1q_s8(row.filters + tap * row.filter_step + first);
  }
  const std::int8_t* rows[] = {row.rows[0] + first, row.rows[1] + first, row.rows[2] + first};
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    int8x16_t sums = vdupq_n_s8(0);
    for (int tap = 0; tap < 9; ++tap) {
      const std::int8_t* at = rows[tap / 3] + tap % 3 * row.column_step;
      sums = vmlaq_s8(sums, weights[tap], vld1q_s8(at));
    }
    out.put(ox, first, sums, false);
    for (const std::int8_t*& signs : rows) signs += row.pixel_step;
  }
}

template <typename Sums>
void row_any(const DepthwiseRow& row, std::int64_t first, const Sums& out) noexcept {
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kTapsPerSum) {
      const std::int64_t end = least(begin + kTapsPerSum, taps);
      int8x16_t sums = vdupq_n_s8(0);
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* at = row.rows[tap / row.kernel_width] + first + ox * row.pixel_step +
                                tap % row.kernel_width * row.column_step;
        const int8x16_t weights = vld1q_s8(row.filters + tap * row.filter_step + first);
        sums = vmlaq_s8(sums, weights, vld1q_s8(at));
      }
      out.put(ox, first, sums, begin > 0);
    }
  }
}

template <typename Sums>
void sum_row(const DepthwiseRow& row, const Sums& out) noexcept {
  const bool is_3x3 = row.kernel_height == 3 && row.kernel_width == 3;
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    if (is_3x3) {
      row_3x3(row, first, out);
    } else {
      row_any(row, first, out);
    }
  }
}

template <Residual kResidual, bool kRectify>
struct FinishDepthwise {
  // Sixteen channels, P pixels. A set of constants is loaded for P pixels.
  template <int P, bool kWhole>
  static void pixels(const DepthwiseEpilogue& row, std::int64_t ox, std::int64_t first) noexcept {
    const std::int64_t channels = kWhole ? kBytes : least(row.channels - first, kBytes);
    uint32x4_t masks[P][4];
    int16x8_t sums[P][2];
    for (int p = 0; p < P; ++p) {
      const int8x16_t bytes = vld1q_s8(row.sums + (ox + p) * row.step + first);
      sums[p][0] = vmovl_s8(vget_low_s8(bytes));
      sums[p][1] = vmovl_high_s8(bytes);
    }
    for (int part = 0; part < 4; ++part) {
      const std::int64_t left = channels - part * kFloats;
      const std::int64_t channel = first + part * kFloats;
      if (left <= 0) {
        for (int p = 0; p < P; ++p) masks[p][part] = vdupq_n_u32(0);
        continue;
      }
      const Constants constants(row.epilogue.constants, channel);
      const float32x4_t next_shift = vld1q_f32(row.next_shift + channel);
      for (int p = 0; p < P; ++p) {
        const int16x8_t half = sums[p][part / 2];
        const int32x4_t sum = part % 2 == 0 ? vmovl_s16(vget_low_s16(half)) : vmovl_high_s16(half);
        float32x4_t shortcut{};
        if constexpr (kResidual != Residual::kNone) {
          shortcut = load_floats(row.shortcut + (ox + p) * row.shortcut_step + channel, left);
        }
        const float32x4_t value = finish_unit<kResidual, kRectify>(sum, shortcut, constants);
        vst1q_f32(row.y + (ox + p) * row.step + channel, value);
        masks[p][part] = vcgezq_f32(vaddq_f32(value, next_shift));
      }
    }
    for (int p = 0; p < P; ++p) {
      std::uint16_t bits = mask_bits(narrow_masks(masks[p]));
      if (!kWhole) bits = static_cast<std::uint16_t>(bits & ((1u << channels) - 1));
      std::memcpy(row.codes + (ox + p) * row.code_step + first / 8, &bits,
                  kWhole || channels > 8 ? 2 : 1);
    }
  }

  static void run(const DepthwiseEpilogue& row) noexcept {
    for (std::int64_t first = 0; first < row.channels; first += kBytes) {
      std::int64_t ox = 0;
      if (first + kBytes <= row.channels) {
        for (; ox + 2 <= row.width; ox += 2) pixels<2, true>(row, ox, first);
      }
      for (; ox < row.width; ++ox) pixels<1, false>(row, ox, first);
    }
  }
};

}  // namespace

void depthwise_row(const DepthwiseRow& row, float* y) noexcept {
  sum_row(row, FloatSums{y, row.channels});
}

void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept {
  sum_row(row, ByteSums{sums, step});
}

void depthwise_epilogue(const DepthwiseEpilogue& row) noexcept {
  call_for_unit<FinishDepthwise>(row.epilogue.unit, row);
}

}  // namespace bdnet::neon
