#pragma once

#include <immintrin.h>

#include <cstdint>

// For the files that are compiled for AVX-512; internal linkage, see inner_loops.h.
namespace bdnet::avx512 {
namespace {

inline std::int64_t least(std::int64_t a, std::int64_t b) noexcept { return a < b ? a : b; }

// Sixteen floats, as lane_loops.h works with them.
struct Lanes {
  using Floats = __m512;
  static constexpr std::int64_t kFloats = 16;
  // What an ordered convolution keeps in registers: pixels x vectors of filters.
  static constexpr int kOrderedPixels = 8;
  static constexpr int kOrderedVectors = 2;
  static constexpr int kEpiloguePixels = 1;  // at once

  // Selects the first `count` lanes; loads and stores with it touch no others.
  static __mmask16 first(std::int64_t count) noexcept {
    return static_cast<__mmask16>(count >= kFloats ? 0xFFFF : (1 << count) - 1);
  }

  static Floats zero() noexcept { return _mm512_setzero_ps(); }
  static Floats set(float value) noexcept { return _mm512_set1_ps(value); }
  static Floats load(const float* x) noexcept { return _mm512_loadu_ps(x); }
  static Floats load_some(const float* x, std::int64_t count) noexcept {
    return _mm512_maskz_loadu_ps(first(count), x);
  }
  static void store(float* y, Floats values) noexcept { _mm512_storeu_ps(y, values); }
  // All of them if `count` is larger.
  static void store_some(float* y, Floats values, std::int64_t count) noexcept {
    _mm512_mask_storeu_ps(y, first(count), values);
  }

  static Floats add(Floats a, Floats b) noexcept { return _mm512_add_ps(a, b); }
  static Floats multiply(Floats a, Floats b) noexcept { return _mm512_mul_ps(a, b); }
  static Floats divide(Floats a, Floats b) noexcept { return _mm512_div_ps(a, b); }

  static Floats from_bytes(const std::int8_t* bytes) noexcept {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
  }

  // t < 0 ? negative : t; a NaN stays.
  static Floats where_negative(Floats t, Floats negative) noexcept {
    return _mm512_mask_mov_ps(t, _mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_LT_OQ), negative);
  }

  // t < 0 ? t * slope : t
  static Floats prelu(Floats t, Floats slope) noexcept {
    return where_negative(t, _mm512_mul_ps(t, slope));
  }

  // Bit i is x[i] >= threshold[i]. NaN compares as neither greater nor equal, and so is -1.
  static std::uint32_t sign_bits(Floats x, Floats threshold) noexcept {
    return _mm512_cmp_ps_mask(x, threshold, _CMP_GE_OQ);
  }
};

}  // namespace
}  // namespace bdnet::avx512
