#include <immintrin.h>

#include <cstdint>

#include "avx2.h"
#include "avx2_lanes.h"

// Signs and weights as bytes, 32 channels to a vector: vpsignb(w, s) is w * s for s of -1, 0, +1,
// and so zero padding is an activation like any other. Sums of up to 127 products fit into a byte.
namespace bdnet::avx2 {
namespace {

constexpr std::int64_t kTapsPerSum = 127;

__m256i load_bytes(const std::int8_t* bytes) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

__m256 to_floats(__m128i bytes) noexcept { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)); }

// y = sums for the first `count` of 32 channels, or y + sums; integers below 2^24 either way.
void store_sums(__m256i sums, std::int64_t count, bool add, float* y) noexcept {
  const __m128i low = _mm256_castsi256_si128(sums);
  const __m128i high = _mm256_extracti128_si256(sums, 1);
  const __m256 parts[] = {to_floats(low), to_floats(_mm_srli_si128(low, 8)), to_floats(high),
                          to_floats(_mm_srli_si128(high, 8))};
  for (std::int64_t part = 0; part < 4; ++part) {
    const std::int64_t left = count - part * kFloats;
    if (left <= 0) break;
    float* out = y + part * kFloats;
    __m256 value = parts[part];
    if (add) value = _mm256_add_ps(_mm256_maskload_ps(out, first_lanes(left)), value);
    store_floats(out, value, left);
  }
}

// The kernel that nearly every depth-wise layer has: its nine weights stay in registers for the
// whole row of pixels.
void row_3x3(const DepthwiseRow& row, std::int64_t first) noexcept {
  __m256i weights[9];
  for (int tap = 0; tap < 9; ++tap) {
    weights[tap] = load_bytes(row.filters + tap * row.filter_step + first);
  }
  const std::int8_t* signs = row.signs + first;
  float* y = row.y + first;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    __m256i sums = _mm256_setzero_si256();
    for (int tap = 0; tap < 9; ++tap) {
      const std::int8_t* at = signs + tap / 3 * row.row_step + tap % 3 * row.column_step;
      sums = _mm256_add_epi8(sums, _mm256_sign_epi8(weights[tap], load_bytes(at)));
    }
    store_sums(sums, row.channels - first, false, y);
    signs += row.pixel_step;
    y += row.channels;
  }
}

void row_any(const DepthwiseRow& row, std::int64_t first) noexcept {
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  const std::int8_t* signs = row.signs + first;
  float* y = row.y + first;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kTapsPerSum) {
      const std::int64_t end = least(begin + kTapsPerSum, taps);
      __m256i sums = _mm256_setzero_si256();
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* at = signs + tap / row.kernel_width * row.row_step +
                                tap % row.kernel_width * row.column_step;
        const __m256i weights = load_bytes(row.filters + tap * row.filter_step + first);
        sums = _mm256_add_epi8(sums, _mm256_sign_epi8(weights, load_bytes(at)));
      }
      store_sums(sums, row.channels - first, begin > 0, y);
    }
    signs += row.pixel_step;
    y += row.channels;
  }
}

}  // namespace

void depthwise_row(const DepthwiseRow& row) noexcept {
  const bool is_3x3 = row.kernel_height == 3 && row.kernel_width == 3;
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    if (is_3x3) {
      row_3x3(row, first);
    } else {
      row_any(row, first);
    }
  }
}

}  // namespace bdnet::avx2
