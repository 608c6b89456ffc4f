#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace bdnet::ort {

inline constexpr std::int64_t kCacheLine = 64;

inline constexpr std::int64_t round_to_cache_line(std::int64_t bytes) noexcept {
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

// Bytes that begin on a cache line, for weights as the kernels arrange them.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::int64_t size)
      : bytes_(
            static_cast<std::byte*>(::operator new(static_cast<std::size_t>(size), kAlignment))) {}

  std::byte* data() const noexcept { return bytes_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{kCacheLine};
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, kAlignment); }
  };

  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace bdnet::ort
