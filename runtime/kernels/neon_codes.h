#pragma once

#include <cstdint>

// How the NEON kernels write down the signs of a dense convolution's input: as weights are packed,
// eight to a byte. A word is one byte of weights, one code.
namespace bdnet::neon {
namespace {

struct Codes {
  static constexpr std::int64_t kWordChannels = 8;
  static constexpr std::int64_t kWordBytes = 1;
  static constexpr std::int64_t kCodeBytes = 1;

  // Of eight signs, from a channel that is a multiple of eight.
  static void store(std::uint8_t* codes, std::int64_t channel, std::uint32_t bits) noexcept {
    codes[channel / 8] = static_cast<std::uint8_t>(bits);
  }

  // Channels in whole words.
  static std::int64_t padded(std::int64_t channels) noexcept { return (channels + 7) / 8 * 8; }
};

}  // namespace
}  // namespace bdnet::neon
