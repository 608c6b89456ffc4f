#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// What the NEON files share. They are compiled for armv8.0-a, the baseline: every 64-bit ARM
// processor runs them.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kFloats = 4;  // to a vector
constexpr std::int64_t kBytes = 16;

inline std::int64_t least(std::int64_t a, std::int64_t b) noexcept { return a < b ? a : b; }

// The first `count` of four floats, all of them if there are more, and zeros; reads no others.
inline float32x4_t load_floats(const float* x, std::int64_t count) noexcept {
  if (count >= kFloats) return vld1q_f32(x);
  float lanes[kFloats] = {};
  std::memcpy(lanes, x, static_cast<std::size_t>(count) * sizeof(float));
  return vld1q_f32(lanes);
}

// Stores the first `count` of four floats, all of them if there are more.
inline void store_floats(float* y, float32x4_t values, std::int64_t count) noexcept {
  if (count >= kFloats) {
    vst1q_f32(y, values);
    return;
  }
  float lanes[kFloats];
  vst1q_f32(lanes, values);
  std::memcpy(y, lanes, static_cast<std::size_t>(count) * sizeof(float));
}

// The masks of sixteen floats, each all ones or all zeros, as bytes.
inline uint8x16_t narrow_masks(const uint32x4_t (&masks)[4]) noexcept {
  const uint16x8_t low =
      vuzp1q_u16(vreinterpretq_u16_u32(masks[0]), vreinterpretq_u16_u32(masks[1]));
  const uint16x8_t high =
      vuzp1q_u16(vreinterpretq_u16_u32(masks[2]), vreinterpretq_u16_u32(masks[3]));
  return vuzp1q_u8(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high));
}

// Of sixteen masks the bits that packing gives them; three pairwise sums make two bytes of them.
inline uint8x16_t place_bits(uint8x16_t masks) noexcept {
  const uint8x8_t places = vcreate_u8(0x8040201008040201);
  return vandq_u8(masks, vcombine_u8(places, places));
}

// Two bytes of bits, the first signs in the lower one.
inline std::uint16_t mask_bits(uint8x16_t masks) noexcept {
  uint8x16_t bits = place_bits(masks);
  for (int i = 0; i < 3; ++i) bits = vpaddq_u8(bits, bits);
  return vgetq_lane_u16(vreinterpretq_u16_u8(bits), 0);
}

}  // namespace
}  // namespace bdnet::neon
