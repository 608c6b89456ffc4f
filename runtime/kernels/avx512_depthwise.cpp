#include <immintrin.h>

#include <cstdint>

#include "avx2_sign_weights.h"
#include "avx512_lanes.h"
#include "avx512_loops.h"
#include "depthwise_loops.h"

// Signs as bytes, 64 channels to a vector. AVX-512 has no vpsignb, but with a weight w as two masks
// of bytes, negative and present (not 0),
//
//     w * s = ((s ^ negative) & present) + (w is -1 ? 1 : 0)     for s of -1, 0, +1
//
// since s ^ -1 is -s - 1. The first part is one vpternlog; the second, summed over the taps, is a
// constant that the sums begin with.
namespace bdnet::avx512 {
namespace {

struct Weights {
  using Bytes = __m512i;
  Bytes negative;
  Bytes present;

  static Bytes zero() noexcept { return _mm512_setzero_si512(); }
  static Bytes load(const std::int8_t* bytes) noexcept { return _mm512_loadu_si512(bytes); }

  explicit Weights(const std::int8_t* filters) noexcept {
    const Bytes w = load(filters);
    negative = _mm512_min_epi8(w, zero());
    present = _mm512_sub_epi8(zero(), _mm512_abs_epi8(w));
  }

  Bytes add_product(Bytes sums, Bytes signs) const noexcept {
    constexpr int kXorThenAnd = (0xF0 ^ 0xCC) & 0xAA;
    return _mm512_add_epi8(sums, _mm512_ternarylogic_epi64(signs, negative, present, kXorThenAnd));
  }

  // Adds 1 where the weight is -1.
  Bytes add_correction(Bytes sums) const noexcept { return _mm512_sub_epi8(sums, negative); }
};

// y = sums for the first `count` of 64 channels, or y + sums; integers below 2^24 either way.
void store_floats(__m512i sums, std::int64_t count, bool add, float* y) noexcept {
  alignas(64) std::int8_t bytes[kChannelTile];
  _mm512_store_si512(bytes, sums);
  for (std::int64_t c = 0; c < least(count, kChannelTile); c += Lanes::kFloats) {
    Lanes::Floats value = Lanes::from_bytes(bytes + c);
    if (add) value = Lanes::add(Lanes::load_some(y + c, count - c), value);
    Lanes::store_some(y + c, value, count - c);
  }
}

}  // namespace

void depthwise_row(const DepthwiseRow& row, float* y) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row<Weights>(row, first, [&](std::int64_t ox, __m512i sums, bool add) noexcept {
      store_floats(sums, row.channels - first, add, y + ox * row.channels + first);
    });
  }
}

void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept {
  const bool is_3x3 = row.kernel_height == 3 && row.kernel_width == 3;
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    if (is_3x3 && row.channels - first <= kChannelTile / 2) {
      using Half = avx2::SignWeights;  // half a vector, which has vpsignb
      return sum_row_3x3<Half>(row, first, [=](std::int64_t ox, __m256i values) noexcept {
        Half::store(sums + ox * step + first, values);
      });
    }
    sum_row<Weights>(row, first, [=](std::int64_t ox, __m512i values, bool) noexcept {
      _mm512_storeu_si512(sums + ox * step + first, values);
    });
  }
}

}  // namespace bdnet::avx512
