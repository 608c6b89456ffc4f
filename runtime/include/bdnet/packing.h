#pragma once

#include <cstdint>

// Packing version 1: the weights of a convolution as they stand in the file.
//
// A filter is one string of kh * kw * channels bits in the order (ky, kx, c), c innermost; bit i is
// bit i % 8 of byte i / 8, least significant first; 1 means +1. A filter starts on a byte: it takes
// packed_bytes(bits) bytes, and the bits after the last are written as 0 and ignored when read.
// A binary filter is one such plane. A ternary one is two, sign(w - d) and sign(w + d), and its
// weight is their mean, bit0 + bit1 - 1.
namespace bdnet {

inline constexpr std::int64_t kPackingVersion = 1;

// A value of -1, 0 or +1. Sixteen bits, because that is what the multiply-and-add of the baseline
// processors takes (pmaddwd on x86-64, smlal on ARM).
using Sign = std::int16_t;

// Bytes of one plane of a filter of `bits` >= 0 weights.
constexpr std::int64_t packed_bytes(std::int64_t bits) noexcept {
  return bits / 8 + (bits % 8 != 0 ? 1 : 0);
}

// Writes one plane: the bit is 1 where values[i] >= 0 (so for -0.0, and not for NaN).
// values: [bits]; packed: [packed_bytes(bits)].
void pack_plane(const float* values, std::int64_t bits, std::uint8_t* packed) noexcept;

// Reads a binary filter as -1 and +1. packed: [packed_bytes(bits)]; weights: [bits].
void unpack_binary(const std::uint8_t* packed, std::int64_t bits, Sign* weights) noexcept;

// Reads a ternary filter as -1, 0 and +1. Each plane: [packed_bytes(bits)]; weights: [bits].
void unpack_ternary(const std::uint8_t* plane0, const std::uint8_t* plane1, std::int64_t bits,
                    Sign* weights) noexcept;

}  // namespace bdnet
