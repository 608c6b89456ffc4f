#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// For the NEON files; internal linkage, see inner_loops.h. They are compiled for armv8.0-a, the
// baseline.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kBytes = 16;  // to a vector

inline std::int64_t least(std::int64_t a, std::int64_t b) noexcept { return a < b ? a : b; }

// Bits of the bytes of a mask, as packing places them. Sums of neighbours, three times, make bytes
// of them.
inline uint8x8_t place_bits(uint8x8_t mask) noexcept {
  return vand_u8(mask, vcreate_u8(0x8040201008040201));
}
inline uint8x16_t place_bits(uint8x16_t mask) noexcept {
  return vandq_u8(mask, vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201)));
}

// Eight floats in two vectors, as lane_loops.h works with them: as many as make a byte of signs.
struct Lanes {
  struct Floats {
    float32x4_t low;
    float32x4_t high;
  };
  static constexpr std::int64_t kFloats = 8;
  // What an ordered convolution keeps in registers: pixels x vectors of filters.
  static constexpr int kOrderedPixels = 4;
  static constexpr int kOrderedVectors = 2;
  static constexpr int kEpiloguePixels = 4;  // at once

  static Floats zero() noexcept { return set(0.0f); }
  static Floats set(float value) noexcept { return {vdupq_n_f32(value), vdupq_n_f32(value)}; }
  static Floats load(const float* x) noexcept { return {vld1q_f32(x), vld1q_f32(x + 4)}; }
  // The first `count` floats, all if it is larger, and zeros; touches no others.
  static Floats load_some(const float* x, std::int64_t count) noexcept {
    if (count >= kFloats) return load(x);
    float lanes[kFloats] = {};
    std::memcpy(lanes, x, static_cast<std::size_t>(count) * sizeof(float));
    return load(lanes);
  }
  static void store(float* y, Floats values) noexcept {
    vst1q_f32(y, values.low);
    vst1q_f32(y + 4, values.high);
  }
  // All of them if `count` is larger.
  static void store_some(float* y, Floats values, std::int64_t count) noexcept {
    if (count >= kFloats) return store(y, values);
    float lanes[kFloats];
    store(lanes, values);
    std::memcpy(y, lanes, static_cast<std::size_t>(count) * sizeof(float));
  }

  static Floats add(Floats a, Floats b) noexcept {
    return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
  }
  static Floats subtract(Floats a, Floats b) noexcept {
    return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
  }
  static Floats multiply(Floats a, Floats b) noexcept {
    return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
  }
  static Floats divide(Floats a, Floats b) noexcept {
    return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)};
  }

  static Floats from_words(int16x8_t words) noexcept {
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))), vcvtq_f32_s32(vmovl_high_s16(words))};
  }
  static Floats from_words(uint16x8_t words) noexcept {
    return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(words))), vcvtq_f32_u32(vmovl_high_u16(words))};
  }
  static Floats from_bytes(const std::int8_t* bytes) noexcept {
    return from_words(vmovl_s8(vld1_s8(bytes)));
  }

  // t < 0 ? negative : t; a NaN stays.
  static Floats where_negative(Floats t, Floats negative) noexcept {
    return {vbslq_f32(vcltzq_f32(t.low), negative.low, t.low),
            vbslq_f32(vcltzq_f32(t.high), negative.high, t.high)};
  }

  // t < 0 ? t * slope : t
  static Floats prelu(Floats t, Floats slope) noexcept {
    return where_negative(t, multiply(t, slope));
  }

  // All ones where x >= threshold, in words. NaN compares as neither greater nor equal, and so is
  // -1.
  static uint16x8_t sign_mask(Floats x, Floats threshold) noexcept {
    return vuzp1q_u16(vreinterpretq_u16_u32(vcgeq_f32(x.low, threshold.low)),
                      vreinterpretq_u16_u32(vcgeq_f32(x.high, threshold.high)));
  }
  // Bit i is x[i] >= threshold[i].
  static std::uint32_t sign_bits(Floats x, Floats threshold) noexcept {
    return vaddv_u8(place_bits(vmovn_u16(sign_mask(x, threshold))));
  }
};

}  // namespace
}  // namespace bdnet::neon
