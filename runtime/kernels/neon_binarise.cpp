#include <cstdint>

#include "neon_codes.h"
#include "neon_lanes.h"
#include "neon_loops.h"

// The signs of floats.
namespace bdnet::neon {
namespace {

constexpr std::int64_t kFloats = Lanes::kFloats;

// All ones where x >= threshold, for 16 values; mask(c) is that of eight.
template <typename Mask>
uint8x16_t sign_mask(const Mask& mask, std::int64_t first) noexcept {
  return vuzp1q_u8(vreinterpretq_u8_u16(mask(first)), vreinterpretq_u8_u16(mask(first + kFloats)));
}

// One pixel.
template <bool kThreshold>
void binarise_pixel(const float* x, const float* threshold, std::int64_t channels,
                    std::int8_t* signs) noexcept {
  const auto mask = [&](std::int64_t c) noexcept {
    return Lanes::sign_mask(Lanes::load(x + c),
                            kThreshold ? Lanes::load(threshold + c) : Lanes::zero());
  };
  std::int64_t c = 0;
  for (; c + kBytes <= channels; c += kBytes) {
    // The opposite of the mask is 0 or -1; with the last bit set, +1 or -1.
    const uint8x16_t bytes = vornq_u8(vdupq_n_u8(1), sign_mask(mask, c));
    vst1q_s8(signs + c, vreinterpretq_s8_u8(bytes));
  }
  for (; c < channels; ++c) {
    signs[c] = static_cast<std::int8_t>(x[c] >= (kThreshold ? threshold[c] : 0.0f) ? 1 : -1);
  }
}

}  // namespace

void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept {
  const auto mask = [&](std::int64_t i) noexcept {
    return Lanes::sign_mask(Lanes::load(x + i), Lanes::zero());
  };
  const auto bits = [&](std::int64_t i) noexcept { return place_bits(sign_mask(mask, i)); };
  std::int64_t i = 0;
  for (; i + 4 * kBytes <= count; i += 4 * kBytes) {
    const uint8x16_t low = vpaddq_u8(bits(i), bits(i + kBytes));
    const uint8x16_t high = vpaddq_u8(bits(i + 2 * kBytes), bits(i + 3 * kBytes));
    const uint8x16_t sums = vpaddq_u8(low, high);
    vst1_u8(codes + i / 8, vget_low_u8(vpaddq_u8(sums, sums)));
  }
  for (; i < count; i += kFloats) {
    const std::int64_t left = least(count - i, kFloats);
    Codes::store(
        codes, i,
        Lanes::sign_bits(Lanes::load_some(x + i, left), Lanes::zero()) & ((1u << left) - 1));
  }
}

void binarise(const float* x, const float* threshold, std::int64_t pixels, std::int64_t channels,
              std::int8_t* signs) noexcept {
  if (threshold == nullptr) return binarise_pixel<false>(x, nullptr, pixels * channels, signs);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    binarise_pixel<true>(x + pixel * channels, threshold, channels, signs + pixel * channels);
  }
}

}  // namespace bdnet::neon
