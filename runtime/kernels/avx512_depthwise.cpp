#include <immintrin.h>

#include <cstdint>

#include "avx512_lanes.h"
#include "avx512_loops.h"

// Signs as bytes, 64 channels to a vector. AVX-512 has no vpsignb, but with a weight w as two masks
// of bytes, negative and present (not 0),
//
//     w * s = ((s ^ negative) & present) + (w is -1 ? 1 : 0)     for s of -1, 0, +1
//
// since s ^ -1 is -s - 1. The first part is one vpternlog; the second, summed over the taps, is a
// constant that the sums begin with.
namespace bdnet::avx512 {
namespace {

__m512i load_bytes(const std::int8_t* bytes) noexcept { return _mm512_loadu_si512(bytes); }

struct Weights {
  __m512i negative;
  __m512i present;

  explicit Weights(const std::int8_t* filters) noexcept {
    const __m512i w = load_bytes(filters);
    negative = _mm512_movm_epi8(_mm512_movepi8_mask(w));
    present = _mm512_movm_epi8(_mm512_test_epi8_mask(w, w));
  }

  __m512i add_product(__m512i sums, const std::int8_t* signs) const noexcept {
    constexpr int kXorThenAnd = (0xF0 ^ 0xCC) & 0xAA;
    return _mm512_add_epi8(
        sums, _mm512_ternarylogic_epi64(load_bytes(signs), negative, present, kXorThenAnd));
  }

  // Adds 1 where the weight is -1.
  __m512i add_correction(__m512i sums) const noexcept { return _mm512_sub_epi8(sums, negative); }
};

// 3 x 3 taps of 32 channels or fewer: half a vector, which has vpsignb.
void sum_half_row_3x3(const DepthwiseRow& row, std::int64_t first, std::int8_t* sums,
                      std::int64_t step) noexcept {
  const auto load = [](const std::int8_t* bytes) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  };
  __m256i weights[9];
  for (int tap = 0; tap < 9; ++tap) {
    weights[tap] = load(row.filters + first + tap * row.filter_step);
  }
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    __m256i total = _mm256_setzero_si256();
    for (int ky = 0; ky < 3; ++ky) {
      for (int kx = 0; kx < 3; ++kx) {
        const __m256i signs =
            load(row.rows[ky] + first + ox * row.pixel_step + kx * row.column_step);
        total = _mm256_add_epi8(total, _mm256_sign_epi8(weights[3 * ky + kx], signs));
      }
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + ox * step + first), total);
  }
}

// Calls finish(pixel, sums, add) with the sums of 64 channels from `first` on, for every pixel; for
// more than kMostBlockTaps taps in parts, where `add` says that this is not the first.
template <typename Finish>
void sum_row(const DepthwiseRow& row, std::int64_t first, const Finish& finish) noexcept {
  const std::int8_t* filters = row.filters + first;
  if (row.kernel_height == 3 && row.kernel_width == 3) {
    // The kernel that nearly every layer has: its nine weights stay in registers.
    const Weights weights[9] = {Weights(filters),
                                Weights(filters + row.filter_step),
                                Weights(filters + 2 * row.filter_step),
                                Weights(filters + 3 * row.filter_step),
                                Weights(filters + 4 * row.filter_step),
                                Weights(filters + 5 * row.filter_step),
                                Weights(filters + 6 * row.filter_step),
                                Weights(filters + 7 * row.filter_step),
                                Weights(filters + 8 * row.filter_step)};
    __m512i correction = _mm512_setzero_si512();
    for (const Weights& weight : weights) correction = weight.add_correction(correction);
    const std::int8_t* top = row.rows[0] + first;
    const std::int8_t* middle = row.rows[1] + first;
    const std::int8_t* bottom = row.rows[2] + first;
    for (std::int64_t ox = 0; ox < row.width; ++ox) {
      __m512i sums = correction;
      for (int kx = 0; kx < 3; ++kx) {
        const std::int64_t at = ox * row.pixel_step + kx * row.column_step;
        sums = weights[kx].add_product(sums, top + at);
        sums = weights[3 + kx].add_product(sums, middle + at);
        sums = weights[6 + kx].add_product(sums, bottom + at);
      }
      finish(ox, sums, false);
    }
    return;
  }
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kMostBlockTaps) {
      const std::int64_t end = least(begin + kMostBlockTaps, taps);
      __m512i sums = _mm512_setzero_si512();
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* signs =
            row.rows[tap / row.kernel_width] + first + tap % row.kernel_width * row.column_step;
        const Weights weights(filters + tap * row.filter_step);
        sums = weights.add_correction(weights.add_product(sums, signs + ox * row.pixel_step));
      }
      finish(ox, sums, begin > 0);
    }
  }
}

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
    sum_row(row, first, [&](std::int64_t ox, __m512i sums, bool add) noexcept {
      store_floats(sums, row.channels - first, add, y + ox * row.channels + first);
    });
  }
}

void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept {
  const bool is_3x3 = row.kernel_height == 3 && row.kernel_width == 3;
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    if (is_3x3 && row.channels - first <= kChannelTile / 2) {
      return sum_half_row_3x3(row, first, sums, step);
    }
    sum_row(row, first, [&](std::int64_t ox, __m512i values, bool) noexcept {
      _mm512_storeu_si512(sums + ox * step + first, values);
    });
  }
}

}  // namespace bdnet::avx512
