#pragma once

#include <immintrin.h>

#include <cstdint>

// One tap of 32 channels for depthwise_loops.h: vpsignb(w, s) is w * s for s of -1, 0, +1, and so
// zero padding is an activation like any other. Sums of up to 127 products fit into a byte. AVX-512
// takes it for its half vectors. Internal linkage, see inner_loops.h.
namespace bdnet::avx2 {
namespace {

struct SignWeights {
  using Bytes = __m256i;
  Bytes weights;

  static Bytes zero() noexcept { return _mm256_setzero_si256(); }
  static Bytes load(const std::int8_t* bytes) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  }
  static void store(std::int8_t* to, Bytes bytes) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
  }

  explicit SignWeights(const std::int8_t* filters) noexcept : weights(load(filters)) {}

  Bytes add_product(Bytes sums, Bytes signs) const noexcept {
    return _mm256_add_epi8(sums, _mm256_sign_epi8(weights, signs));
  }
  // What the products lack, for an instruction set whose products are not whole.
  Bytes add_correction(Bytes sums) const noexcept { return sums; }
};

}  // namespace
}  // namespace bdnet::avx2
