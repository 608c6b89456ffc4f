#pragma once

#include <immintrin.h>

#include <cstdint>

// For the files that are compiled with -mavx2; internal linkage, see avx2.h.
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kFloats = 8;  // to a vector

inline std::int64_t least(std::int64_t a, std::int64_t b) noexcept { return a < b ? a : b; }

// Selects the first `count` floats of a vector; loads and stores with it touch no others.
inline __m256i first_lanes(std::int64_t count) noexcept {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(least(count, kFloats))), lanes);
}

// Stores the first `count` of eight floats, all of them if there are more.
inline void store_floats(float* y, __m256 values, std::int64_t count) noexcept {
  if (count >= kFloats) {
    _mm256_storeu_ps(y, values);
  } else {
    _mm256_maskstore_ps(y, first_lanes(count), values);
  }
}

}  // namespace
}  // namespace bdnet::avx2
