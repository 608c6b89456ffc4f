#include "bdnet/packing.h"

#include <algorithm>

namespace bdnet {
namespace {

int bit(const std::uint8_t* packed, std::int64_t index) noexcept {
  return (packed[index / 8] >> (index % 8)) & 1;
}

}  // namespace

void pack_plane(const float* values, std::int64_t bits, std::uint8_t* packed) noexcept {
  std::fill_n(packed, packed_bytes(bits), std::uint8_t{0});
  for (std::int64_t i = 0; i < bits; ++i) {
    if (values[i] >= 0.0f) {
      packed[i / 8] = static_cast<std::uint8_t>(packed[i / 8] | (1u << (i % 8)));
    }
  }
}

void unpack_binary(const std::uint8_t* packed, std::int64_t bits, Sign* weights) noexcept {
  for (std::int64_t i = 0; i < bits; ++i) {
    weights[i] = static_cast<Sign>(2 * bit(packed, i) - 1);
  }
}

void unpack_ternary(const std::uint8_t* plane0, const std::uint8_t* plane1, std::int64_t bits,
                    Sign* weights) noexcept {
  for (std::int64_t i = 0; i < bits; ++i) {
    weights[i] = static_cast<Sign>(bit(plane0, i) + bit(plane1, i) - 1);
  }
}

}  // namespace bdnet
