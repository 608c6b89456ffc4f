#include <immintrin.h>

#include <cstdint>

#include "avx2_lanes.h"
#include "avx2_loops.h"
#include "depthwise_loops.h"

// Signs and weights as bytes, 32 channels to a vector: vpsignb(w, s) is w * s for s of -1, 0, +1,
// and so zero padding is an activation like any other. Sums of up to 127 products fit into a byte.
namespace bdnet::avx2 {
namespace {

struct Weights {
  using Bytes = __m256i;
  Bytes weights;

  static Bytes zero() noexcept { return _mm256_setzero_si256(); }
  static Bytes load(const std::int8_t* bytes) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  }

  explicit Weights(const std::int8_t* filters) noexcept : weights(load(filters)) {}

  Bytes add_product(Bytes sums, Bytes signs) const noexcept {
    return _mm256_add_epi8(sums, _mm256_sign_epi8(weights, signs));
  }
  // What the products lack, for an instruction set whose products are not whole.
  Bytes add_correction(Bytes sums) const noexcept { return sums; }
};

// Calls finish(pixel, sums, add) with the sums of 32 channels from `first` on, for every pixel; for
// more than kMostBlockTaps taps in parts, where `add` says that this is not the first.
template <typename Finish>
void sum_row(const DepthwiseRow& row, std::int64_t first, Finish finish) noexcept {
  const std::int8_t* filters = row.filters + first;
  if (row.kernel_height == 3 && row.kernel_width == 3) {
    return sum_row_3x3<Weights>(
        row, first, [=](std::int64_t ox, __m256i sums) noexcept { finish(ox, sums, false); });
  }
  const std::int64_t taps = row.kernel_height * row.kernel_width;
  for (std::int64_t ox = 0; ox < row.width; ++ox) {
    for (std::int64_t begin = 0; begin < taps; begin += kMostBlockTaps) {
      const std::int64_t end = least(begin + kMostBlockTaps, taps);
      __m256i sums = _mm256_setzero_si256();
      for (std::int64_t tap = begin; tap < end; ++tap) {
        const std::int8_t* signs =
            row.rows[tap / row.kernel_width] + first + tap % row.kernel_width * row.column_step;
        const Weights weights(filters + tap * row.filter_step);
        sums = weights.add_product(sums, Weights::load(signs + ox * row.pixel_step));
      }
      finish(ox, sums, begin > 0);
    }
  }
}

// y = sums for the first `count` of 32 channels, or y + sums; integers below 2^24 either way.
void store_floats(__m256i sums, std::int64_t count, bool add, float* y) noexcept {
  alignas(32) std::int8_t bytes[kChannelTile];
  _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), sums);
  for (std::int64_t c = 0; c < least(count, kChannelTile); c += Lanes::kFloats) {
    __m256 value = Lanes::from_bytes(bytes + c);
    if (add) value = Lanes::add(Lanes::load_some(y + c, count - c), value);
    Lanes::store_some(y + c, value, count - c);
  }
}

}  // namespace

void depthwise_row(const DepthwiseRow& row, float* y) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row(row, first, [&](std::int64_t ox, __m256i sums, bool add) noexcept {
      store_floats(sums, row.channels - first, add, y + ox * row.channels + first);
    });
  }
}

void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row(row, first, [=](std::int64_t ox, __m256i values, bool) noexcept {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + ox * step + first), values);
    });
  }
}

}  // namespace bdnet::avx2
