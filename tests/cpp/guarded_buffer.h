#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <vector>

// Where a buffer lies in memory that has pages behind and before it that must not be touched.
enum class Placement {
  kBeforeGuard,  // reading or writing past the last element ends the process; the buffer begins
                 // wherever that leaves it, so on no boundary but that of an element
  kAfterGuard,   // so does reading or writing before the first one, which is on a page
  kUnaligned,    // begins one element behind a cache line
};
inline constexpr Placement kPlacements[] = {Placement::kBeforeGuard, Placement::kAfterGuard,
                                            Placement::kUnaligned};

inline const char* name_of(Placement placement) {
  switch (placement) {
    case Placement::kBeforeGuard:
      return "every buffer ends at a guard page";
    case Placement::kAfterGuard:
      return "every buffer begins at a guard page";
    case Placement::kUnaligned:
      break;
  }
  return "every buffer begins one element behind a cache line";
}

// Pages between two guard pages. They are used again, since the system takes longer to make them
// than most tests to use them; so they hold whatever was there.
class GuardedPages {
 public:
  explicit GuardedPages(std::size_t bytes) : size_(page()) {
    while (size_ < bytes) size_ *= 2;
    if (spare().empty()) spare().push_back(make(size_));
    begin_ = spare().back();
    spare().pop_back();
  }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;
  ~GuardedPages() { spare().push_back(begin_); }

  std::byte* begin() const noexcept { return begin_; }
  std::byte* end() const noexcept { return begin_ + size_; }

 private:
  static std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

  static std::byte* make(std::size_t size) {
    void* pages = mmap(nullptr, size + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    std::byte* begin = static_cast<std::byte*>(pages) + page();
    if (mprotect(begin, size, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    return begin;
  }

  std::vector<std::byte*>& spare() const {
    static std::map<std::size_t, std::vector<std::byte*>> by_size;
    return by_size[size_];
  }

  std::size_t size_;
  std::byte* begin_;
};

// `count` elements, placed so.
template <typename T>
class GuardedBuffer {
 public:
  GuardedBuffer(std::size_t count, Placement placement)
      : count_(count), pages_(count * sizeof(T) + kOffset) {
    std::byte* at = pages_.begin();
    if (placement == Placement::kBeforeGuard) at = pages_.end() - count * sizeof(T);
    if (placement == Placement::kUnaligned) at += kOffset;
    data_ = reinterpret_cast<T*>(at);
  }
  GuardedBuffer(const std::vector<T>& values, Placement placement)
      : GuardedBuffer(values.size(), placement) {
    std::copy(values.begin(), values.end(), data_);
  }

  T* data() const noexcept { return data_; }
  void fill(const T& value) const noexcept { std::fill_n(data_, count_, value); }
  std::vector<T> values() const { return std::vector<T>(data_, data_ + count_); }

 private:
  // Buffers of bytes are aligned as for two of them at least, see kernels.h.
  static constexpr std::size_t kOffset = std::max<std::size_t>(sizeof(T), 2);

  std::size_t count_;
  GuardedPages pages_;
  T* data_;
};

// Memory that begins on a cache line, as the adapter gives it: of whole cache lines, which reach to
// the guard page behind or before them.
class GuardedCacheLines {
 public:
  GuardedCacheLines(std::int64_t bytes, Placement placement)
      : buffer_((static_cast<std::size_t>(bytes) + 63) / 64 * 64,
                placement == Placement::kAfterGuard ? placement : Placement::kBeforeGuard) {}

  std::byte* data() const noexcept { return buffer_.data(); }
  void fill(std::byte value) const noexcept { buffer_.fill(value); }

 private:
  GuardedBuffer<std::byte> buffer_;
};
