#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <thread>
#include <type_traits>

#include "aligned_bytes.h"

namespace bdnet::ort {

// Scratch memory for rows that threads take one at a time, where a row goes faster after the one
// before it in the same scratch memory.
//
// ONNX Runtime hands each thread some rows in sequence, but says neither which thread it is nor
// where its rows end. So there are as many lanes as threads can run at once; a lane remembers the
// row that would continue it, and whoever comes with that row gets it. Others take a lane that is
// idle, and begin anew.
class RowLanes {
 public:
  // How many lanes are worth having for that many rows.
  static std::int64_t useful_count(std::int64_t rows) noexcept {
    // Asked once: it reads a file, which takes longer than a small block.
    static const auto threads = static_cast<std::int64_t>(std::thread::hardware_concurrency());
    return rows < threads ? rows : (threads < 1 ? 1 : threads);
  }

  // Bytes of `count` lanes with this much scratch memory each; the most there can be if those would
  // be more.
  static std::int64_t bytes(std::int64_t scratch_bytes, std::int64_t count) noexcept {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    const std::int64_t step = lane_step(scratch_bytes);
    return step > kMost / count ? kMost : step * count;
  }

  // memory: bytes(scratch_bytes, count), from a cache line on.
  RowLanes(std::byte* memory, std::int64_t scratch_bytes, std::int64_t count) noexcept
      : memory_(memory), step_(lane_step(scratch_bytes)), count_(count) {
    for (std::int64_t lane = 0; lane < count_; ++lane) new (head(lane)) NextRow(kFresh);
  }

  // Calls body(scratch, resumes) for a row.
  template <typename Body>
  void run(std::int64_t row, const Body& body) noexcept {
    static_assert(noexcept(body(memory_, true)));
    bool resumes = true;
    std::int64_t lane = claim([row](std::int64_t next) { return next == row; });
    while (lane < 0) {  // more threads than lanes wait for their turn
      resumes = false;
      lane = claim([](std::int64_t next) { return next == kFresh; });
      if (lane < 0) lane = claim([](std::int64_t next) { return next != kBusy; });
      if (lane < 0) std::this_thread::yield();
    }
    body(head(lane) + kCacheLine, resumes);
    next(lane).store(row + 1, std::memory_order_release);
  }

 private:
  // A lane begins with the row that would continue it, alone on its cache line, since all threads
  // look there. Nothing need be done for its end.
  using NextRow = std::atomic<std::int64_t>;
  static_assert(std::is_trivially_destructible_v<NextRow>);

  static constexpr std::int64_t kFresh = -1;
  static constexpr std::int64_t kBusy = -2;

  static std::int64_t lane_step(std::int64_t scratch_bytes) noexcept {
    return kCacheLine + round_to_cache_line(scratch_bytes);
  }

  std::byte* head(std::int64_t lane) const noexcept { return memory_ + lane * step_; }
  NextRow& next(std::int64_t lane) const noexcept {
    return *std::launder(reinterpret_cast<NextRow*>(head(lane)));
  }

  // The first lane whose next row is wanted, now busy; -1 if there is none.
  template <typename Wanted>
  std::int64_t claim(const Wanted& wanted) noexcept {
    for (std::int64_t lane = 0; lane < count_; ++lane) {
      std::int64_t seen = next(lane).load(std::memory_order_relaxed);
      if (wanted(seen) &&
          next(lane).compare_exchange_strong(seen, kBusy, std::memory_order_acquire)) {
        return lane;
      }
    }
    return -1;
  }

  std::byte* memory_;
  std::int64_t step_;
  std::int64_t count_;
};

}  // namespace bdnet::ort
