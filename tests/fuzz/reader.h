#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>

namespace bdnet::fuzz {

// Numbers out of a target's bytes; zeros once those are used up.
class Reader {
 public:
  Reader(const std::uint8_t* data, std::size_t size) noexcept : data_(data), left_(size) {}

  std::int64_t byte() noexcept {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  // At most 256 values apart.
  std::int64_t pick(std::int64_t low, std::int64_t high) noexcept {
    return low + byte() % (high - low + 1);
  }

  template <std::size_t N>
  std::int64_t pick(const std::array<std::int64_t, N>& values) noexcept {
    return values[static_cast<std::size_t>(byte()) % N];
  }

  // Any number; mostly one of those at which checks and products have their limits.
  std::int64_t any() noexcept {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t kLimits[] = {0,
                                        -1,
                                        1,
                                        2,
                                        127,
                                        128,
                                        16383,
                                        16384,
                                        (std::int64_t{1} << 24) - 1,
                                        std::int64_t{1} << 24,
                                        (std::int64_t{1} << 31) - 1,
                                        std::int64_t{1} << 31,
                                        std::int64_t{1} << 32,
                                        std::int64_t{1} << 61,
                                        kMost - 1,
                                        kMost,
                                        std::numeric_limits<std::int64_t>::min()};
    constexpr auto kCount = static_cast<std::int64_t>(std::size(kLimits));
    const std::int64_t kind = byte();
    if (kind < 4 * kCount) return kLimits[kind % kCount];
    if (kind < 128) return byte();
    std::uint64_t bits = 0;
    for (std::int64_t i = 0; i < 8; ++i) bits = bits << 8 | static_cast<std::uint64_t>(byte());
    return static_cast<std::int64_t>(bits >> (kind % 64));
  }

  // A number made of all bytes that are left.
  std::uint64_t seed() noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    while (left_ > 0) hash = (hash ^ static_cast<std::uint64_t>(byte())) * 0x100000001b3;
    return hash;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// Data from a seed: a few bytes of a target's input stand for as much as a tensor takes.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) noexcept : state_(seed | 1) {}

  std::uint64_t next() noexcept {  // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
  }

  // Small numbers, and zeros; one in eight of any bits, so NaN and infinities too.
  float any_float() noexcept {
    const std::uint64_t bits = next();
    if (bits % 8 != 0) return small(bits);
    const auto raw = static_cast<std::uint32_t>(bits >> 32);
    float value = 0.0f;
    std::memcpy(&value, &raw, sizeof(value));
    return value;
  }

  float finite_float() noexcept {
    const float value = any_float();
    return value - value == 0.0f ? value : small(next());
  }

 private:
  static float small(std::uint64_t bits) noexcept {
    return (static_cast<float>(bits >> 56) - 128.0f) / 32.0f;
  }

  std::uint64_t state_;
};

}  // namespace bdnet::fuzz
