#pragma once

#include <cstdint>
#include <cstring>

// How the AVX-512 kernels write down the signs of a dense convolution's input: as bits, the first
// the lowest, 1 for +1, in words of 32.
namespace bdnet::avx512 {
namespace {

struct Codes {
  static constexpr std::int64_t kWordChannels = 32;
  static constexpr std::int64_t kWordBytes = 4;
  static constexpr std::int64_t kCodeBytes = 4;

  // Of sixteen signs, from a channel that is a multiple of sixteen.
  static void store(std::uint8_t* codes, std::int64_t channel, std::uint32_t bits) noexcept {
    const auto half = static_cast<std::uint16_t>(bits);
    std::memcpy(codes + channel / 8, &half, sizeof(half));
  }

  // Channels in whole words.
  static std::int64_t padded(std::int64_t channels) noexcept { return (channels + 31) / 32 * 32; }
};

}  // namespace
}  // namespace bdnet::avx512
