#pragma once

#include <cstdint>
#include <cstring>

// How the AVX2 kernels write down the signs of a dense convolution's input: four signs are a number
// of 0 to 15, the first the lowest bit; its code is a byte that holds four times that number. A
// quarter of a code is a row of the table in avx2_dense.cpp; the factor turns a code into an
// address by one scaled operand. A word is four bits of weights in a byte of its own: twice the
// memory, but the inner loop need not take bytes apart.
namespace bdnet::avx2 {
namespace {

// The two codes of eight signs, by the signs as bits.
struct CodePairs {
  std::uint16_t pairs[256];
};

constexpr CodePairs make_code_pairs() {
  CodePairs all{};
  for (unsigned bits = 0; bits < 256; ++bits) {
    all.pairs[bits] = static_cast<std::uint16_t>((bits & 15) << 2 | (bits & 0xF0) << 6);
  }
  return all;
}

constexpr CodePairs kCodePairs = make_code_pairs();

struct Codes {
  static constexpr std::int64_t kWordChannels = 4;
  static constexpr std::int64_t kWordBytes = 1;
  static constexpr std::int64_t kCodeBytes = 1;
  static constexpr std::uint8_t kNibbleCode = 4;

  // The codes of 32 signs: every nibble in a byte of its own, times kNibbleCode.
  static std::uint64_t spread(std::uint32_t bits) noexcept {
    std::uint64_t spread = bits;
    spread = (spread | spread << 16) & 0x0000FFFF0000FFFF;
    spread = (spread | spread << 8) & 0x00FF00FF00FF00FF;
    spread = (spread | spread << 4) & 0x0F0F0F0F0F0F0F0F;
    return spread * kNibbleCode;
  }

  // Of eight signs, from a channel that is a multiple of eight. By look-up: one instruction where
  // masks and shifts are five.
  static void store(std::uint8_t* codes, std::int64_t channel, std::uint32_t bits) noexcept {
    const std::uint16_t pair = kCodePairs.pairs[bits];
    std::memcpy(codes + channel / 4, &pair, sizeof(pair));
  }

  // Channels in whole bytes of signs.
  static std::int64_t padded(std::int64_t channels) noexcept { return (channels + 7) / 8 * 8; }
};

}  // namespace
}  // namespace bdnet::avx2
