#include <immintrin.h>

#include <cstdint>

#include "avx512_codes.h"
#include "avx512_lanes.h"
#include "avx512_loops.h"

// The signs of floats.
namespace bdnet::avx512 {
namespace {

constexpr std::int64_t kFloats = Lanes::kFloats;

template <bool kThreshold>
void binarise_pixel(const float* x, const float* threshold, std::int64_t channels,
                    std::int8_t* signs) noexcept {
  const __m128i plus = _mm_set1_epi8(1);
  const __m128i minus = _mm_set1_epi8(-1);
  const auto bytes = [&](std::int64_t c, Lanes::Floats value) noexcept {
    const std::uint32_t bits =
        Lanes::sign_bits(value, kThreshold ? Lanes::load(threshold + c) : Lanes::zero());
    return _mm_mask_blend_epi8(static_cast<__mmask16>(bits), minus, plus);
  };
  std::int64_t c = 0;
  for (; c + kFloats <= channels; c += kFloats) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(signs + c), bytes(c, Lanes::load(x + c)));
  }
  if (c < channels) {
    const std::int64_t left = channels - c;
    _mm_mask_storeu_epi8(signs + c, Lanes::first(left), bytes(c, Lanes::load_some(x + c, left)));
  }
}

}  // namespace

void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept {
  std::int64_t i = 0;
  for (; i + kFloats <= count; i += kFloats) {
    Codes::store(codes, i, Lanes::sign_bits(Lanes::load(x + i), Lanes::zero()));
  }
  for (; i < Codes::padded(count); i += kFloats) {
    std::uint32_t bits = 0;
    if (i < count) {
      bits = Lanes::sign_bits(Lanes::load_some(x + i, count - i), Lanes::zero()) &
             Lanes::first(count - i);
    }
    Codes::store(codes, i, bits);
  }
}

void binarise(const float* x, const float* threshold, std::int64_t pixels, std::int64_t channels,
              std::int8_t* signs) noexcept {
  if (threshold == nullptr) return binarise_pixel<false>(x, nullptr, pixels * channels, signs);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    binarise_pixel<true>(x + pixel * channels, threshold, channels, signs + pixel * channels);
  }
}

}  // namespace bdnet::avx512
