#include <immintrin.h>

#include <cstdint>

#include "avx2_lanes.h"
#include "avx2_loops.h"
#include "avx2_sign_weights.h"
#include "depthwise_loops.h"

// Signs and weights as bytes, 32 channels to a vector.
namespace bdnet::avx2 {
namespace {

// y = sums for the first `count` of 32 channels, or y + sums; integers below 2^24 either way.
void store_floats(__m256i sums, std::int64_t count, bool add, float* y) noexcept {
  alignas(32) std::int8_t bytes[kChannelTile];
  SignWeights::store(bytes, sums);
  for (std::int64_t c = 0; c < least(count, kChannelTile); c += Lanes::kFloats) {
    __m256 value = Lanes::from_bytes(bytes + c);
    if (add) value = Lanes::add(Lanes::load_some(y + c, count - c), value);
    Lanes::store_some(y + c, value, count - c);
  }
}

}  // namespace

void depthwise_row(const DepthwiseRow& row, float* y) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row<SignWeights>(row, first, [&](std::int64_t ox, __m256i sums, bool add) noexcept {
      store_floats(sums, row.channels - first, add, y + ox * row.channels + first);
    });
  }
}

void depthwise_sums(const DepthwiseRow& row, std::int8_t* sums, std::int64_t step) noexcept {
  for (std::int64_t first = 0; first < row.channels; first += kChannelTile) {
    sum_row<SignWeights>(row, first, [=](std::int64_t ox, __m256i values, bool) noexcept {
      SignWeights::store(sums + ox * step + first, values);
    });
  }
}

}  // namespace bdnet::avx2
