#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "avx2_codes.h"
#include "avx2_lanes.h"
#include "avx2_loops.h"

// The signs of floats. NaN compares as neither greater nor equal, and so is -1.
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kFloats = Lanes::kFloats;
constexpr std::int64_t kStep = 4 * kFloats;

// 0 where x >= threshold, else -1, for eight floats.
__m256i negatives(__m256 x, __m256 threshold) noexcept {
  return _mm256_castps_si256(_mm256_cmp_ps(x, threshold, _CMP_NGE_UQ));
}

// One pixel.
template <bool kThreshold>
void binarise_pixel(const float* x, const float* threshold, std::int64_t channels,
                    std::int8_t* signs) noexcept {
  const auto below = [&](std::int64_t c) noexcept {
    return negatives(Lanes::load(x + c), kThreshold ? Lanes::load(threshold + c) : Lanes::zero());
  };
  // The packs work within 128-bit halves; this puts their groups of four in order again.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i one = _mm256_set1_epi8(1);
  std::int64_t c = 0;
  for (; c + kStep <= channels; c += kStep) {
    const __m256i low = _mm256_packs_epi32(below(c), below(c + 8));
    const __m256i high = _mm256_packs_epi32(below(c + 16), below(c + 24));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(signs + c), _mm256_or_si256(bytes, one));
  }
  for (; c + kFloats <= channels; c += kFloats) {
    const __m256i wide = below(c);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    const __m128i bytes = _mm_or_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(signs + c), bytes);
  }
  for (; c < channels; ++c) {
    signs[c] = static_cast<std::int8_t>(x[c] >= (kThreshold ? threshold[c] : 0.0f) ? 1 : -1);
  }
}

}  // namespace

void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept {
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    std::uint32_t bits = 0;
    for (int part = 0; part < 4; ++part) {
      bits |= Lanes::sign_bits(Lanes::load(x + i + part * kFloats), Lanes::zero())
              << (part * kFloats);
    }
    const std::uint64_t spread = Codes::spread(bits);
    std::memcpy(codes + i / 4, &spread, sizeof(spread));
  }
  for (; i < count; i += kFloats) {
    const std::int64_t left = least(count - i, kFloats);
    const std::uint32_t bits = Lanes::sign_bits(Lanes::load_some(x + i, left), Lanes::zero());
    Codes::store(codes, i, bits & ((1u << left) - 1));
  }
}

void binarise(const float* x, const float* threshold, std::int64_t pixels, std::int64_t channels,
              std::int8_t* signs) noexcept {
  if (threshold == nullptr) return binarise_pixel<false>(x, nullptr, pixels * channels, signs);
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    binarise_pixel<true>(x + pixel * channels, threshold, channels, signs + pixel * channels);
  }
}

}  // namespace bdnet::avx2
