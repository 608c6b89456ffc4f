#include <algorithm>
#include <cstdint>
#include <cstring>

#include "neon_lanes.h"
#include "neon_loops.h"

// The signs of floats. NaN compares as neither greater nor equal, and so is -1.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kStep = 16;

// All ones where x + shift >= 0, for sixteen floats; a null shift is none.
uint8x16_t positives(const float* x, const float* shift) noexcept {
  uint32x4_t masks[4];
  for (int i = 0; i < 4; ++i) {
    float32x4_t value = vld1q_f32(x + i * kFloats);
    if (shift != nullptr) value = vaddq_f32(value, vld1q_f32(shift + i * kFloats));
    masks[i] = vcgezq_f32(value);
  }
  return narrow_masks(masks);
}

// The signs of one pixel, or of any floats if there is no shift.
void binarise_pixel(const float* x, const float* shift, std::int64_t count,
                    std::int8_t* signs) noexcept {
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    // Not the mask is 0 or -1, and with the last bit set +1 or -1.
    const uint8x16_t mask = positives(x + i, shift == nullptr ? nullptr : shift + i);
    vst1q_s8(signs + i, vreinterpretq_s8_u8(vornq_u8(vdupq_n_u8(1), mask)));
  }
  for (; i < count; ++i) {
    const float value = shift == nullptr ? x[i] : x[i] + shift[i];
    signs[i] = static_cast<std::int8_t>(value >= 0.0f ? 1 : -1);
  }
}

}  // namespace

void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept {
  std::int64_t i = 0;
  for (; i + 4 * kStep <= count; i += 4 * kStep) {
    uint8x16_t bits[4];
    for (int part = 0; part < 4; ++part) {
      bits[part] = place_bits(positives(x + i + part * kStep, nullptr));
    }
    const uint8x16_t sums = vpaddq_u8(vpaddq_u8(bits[0], bits[1]), vpaddq_u8(bits[2], bits[3]));
    vst1_u8(codes + i / 8, vget_low_u8(vpaddq_u8(sums, sums)));
  }
  for (; i < count; i += kStep) {
    float padded[kStep];
    std::fill_n(padded, kStep, -1.0f);
    const std::int64_t left = least(count - i, kStep);
    std::copy_n(x + i, left, padded);
    const std::uint16_t bits = mask_bits(positives(padded, nullptr));
    std::memcpy(codes + i / 8, &bits, left > 8 ? 2 : 1);
  }
}

void binarise(const float* x, const float* shift, std::int64_t pixels, std::int64_t channels,
              std::int8_t* signs) noexcept {
  if (shift == nullptr) return binarise_pixel(x, nullptr, pixels * channels, signs);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    binarise_pixel(x + pixel * channels, shift, channels, signs + pixel * channels);
  }
}

}  // namespace bdnet::neon
