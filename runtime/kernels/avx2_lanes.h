#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// For the files that are compiled with -mavx2; internal linkage, see inner_loops.h.
namespace bdnet::avx2 {
namespace {

inline std::int64_t least(std::int64_t a, std::int64_t b) noexcept { return a < b ? a : b; }

// Eight floats, as lane_loops.h works with them.
struct Lanes {
  using Floats = __m256;
  static constexpr std::int64_t kFloats = 8;
  // What an ordered convolution keeps in registers: pixels x vectors of filters.
  static constexpr int kOrderedPixels = 4;
  static constexpr int kOrderedVectors = 2;
  static constexpr int kEpiloguePixels = 1;  // at once

  // Selects the first `count` floats of a vector; loads and stores with it touch no others.
  static __m256i first(std::int64_t count) noexcept {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(least(count, kFloats))), lanes);
  }

  static Floats zero() noexcept { return _mm256_setzero_ps(); }
  static Floats set(float value) noexcept { return _mm256_set1_ps(value); }
  static Floats load(const float* x) noexcept { return _mm256_loadu_ps(x); }
  static Floats load_some(const float* x, std::int64_t count) noexcept {
    return _mm256_maskload_ps(x, first(count));
  }
  static void store(float* y, Floats values) noexcept { _mm256_storeu_ps(y, values); }
  // All of them if `count` is larger.
  static void store_some(float* y, Floats values, std::int64_t count) noexcept {
    if (count >= kFloats) return store(y, values);
    _mm256_maskstore_ps(y, first(count), values);
  }

  static Floats add(Floats a, Floats b) noexcept { return _mm256_add_ps(a, b); }
  static Floats multiply(Floats a, Floats b) noexcept { return _mm256_mul_ps(a, b); }
  static Floats divide(Floats a, Floats b) noexcept { return _mm256_div_ps(a, b); }

  static Floats from_bytes(const std::int8_t* bytes) noexcept {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
  }
  static Floats from_words(const std::int16_t* words) noexcept {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(words))));
  }

  // t < 0 ? negative : t; a NaN stays.
  static Floats where_negative(Floats t, Floats negative) noexcept {
    const Floats below = _mm256_cmp_ps(t, _mm256_setzero_ps(), _CMP_LT_OQ);
    return _mm256_blendv_ps(t, negative, below);
  }

  // t < 0 ? t * slope : t, for a finite slope. The sign bit alone decides, which spares a
  // comparison: -0.0 times a slope equals -0.0, and a NaN stays one.
  static Floats prelu(Floats t, Floats slope) noexcept {
    return _mm256_blendv_ps(t, _mm256_mul_ps(t, slope), t);
  }

  // Bit i is x[i] >= threshold[i]. NaN compares as neither greater nor equal, and so is -1.
  static std::uint32_t sign_bits(Floats x, Floats threshold) noexcept {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, threshold, _CMP_GE_OQ)));
  }
};

}  // namespace
}  // namespace bdnet::avx2
