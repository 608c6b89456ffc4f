#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "avx2.h"
#include "avx2_lanes.h"

// The signs of floats. NaN compares as neither greater nor equal, and so is -1.
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kStep = 32;

// Bit i is x[i] >= 0, for eight floats.
std::uint32_t sign_bits(__m256 x) noexcept {
  return static_cast<std::uint32_t>(
      _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GE_OQ)));
}

// The codes of 32 signs: every nibble in a byte of its own, times kNibbleCode.
std::uint64_t spread_nibbles(std::uint32_t bits) noexcept {
  std::uint64_t spread = bits;
  spread = (spread | spread << 16) & 0x0000FFFF0000FFFF;
  spread = (spread | spread << 8) & 0x00FF00FF00FF00FF;
  spread = (spread | spread << 4) & 0x0F0F0F0F0F0F0F0F;
  return spread * kNibbleCode;
}

// 0 where x >= 0, else -1, for eight floats.
__m256i negatives(const float* x) noexcept {
  return _mm256_castps_si256(_mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_setzero_ps(), _CMP_NGE_UQ));
}

}  // namespace

void encode_signs(const float* x, std::int64_t count, std::uint8_t* codes) noexcept {
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    std::uint32_t bits = 0;
    for (int part = 0; part < 4; ++part) {
      bits |= sign_bits(_mm256_loadu_ps(x + i + part * kFloats)) << (part * kFloats);
    }
    const std::uint64_t spread = spread_nibbles(bits);
    std::memcpy(codes + i / 4, &spread, sizeof(spread));
  }
  for (; i < count; i += kFloats) {
    const __m256i lanes = first_lanes(count - i);
    const auto valid = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes)));
    const std::uint64_t spread =
        spread_nibbles(sign_bits(_mm256_maskload_ps(x + i, lanes)) & valid);
    std::memcpy(codes + i / 4, &spread, 2);
  }
}

void binarise(const float* x, std::int64_t count, std::int8_t* signs) noexcept {
  // The packs work within 128-bit halves; this puts their groups of four in order again.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    const __m256i low = _mm256_packs_epi32(negatives(x + i), negatives(x + i + 8));
    const __m256i high = _mm256_packs_epi32(negatives(x + i + 16), negatives(x + i + 24));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(signs + i),
                        _mm256_or_si256(bytes, _mm256_set1_epi8(1)));
  }
  for (; i < count; ++i) signs[i] = static_cast<std::int8_t>(x[i] >= 0.0f ? 1 : -1);
}

}  // namespace bdnet::avx2
