#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "bdnet/kernels.h"

// What a kernel could do at most, which its time is compared with: the instructions that its inner
// loop cannot do without, at the rate at which a processor of the named kind begins them, and
// nothing else: no loads, no loops, no epilogue. Processors that begin more or fewer have another
// ceiling.
struct Ceiling {
  // Multiplications and additions (MACs) a cycle.
  double dense;      // of signs, dense and point-wise
  double depthwise;  // of signs, depth-wise
  double floats;     // of floats, each product and each sum rounded
};

namespace ceilings {

#ifdef __x86_64__
// Zen 4 and 5 with vectors of 512 bits as a whole (Zen 5 server): 4 vector operations a cycle.
// Dense: exclusive or, vpopcntd and addition for 512 MACs. Depth-wise: vpternlog and addition for
// 64. Floats: 2 products and 2 sums of 16 a cycle.
inline constexpr Ceiling avx512{512.0 * 4 / 3, 64.0 * 4 / 2, 16.0 * 2};

// Zen 3 and later: 4 vector operations a cycle, of which 2 look-ups. Dense: a look-up (vpshufb)
// does the 4 bits of 32 filters. Depth-wise: vpsignb and addition for 32. Floats: 2 products and 2
// sums of 8 a cycle.
inline constexpr Ceiling avx2{32.0 * 4 * 2, 32.0 * 4 / 2, 8.0 * 2};

// SSE2 on the same: 2 pmaddwd a cycle for 8 MACs each; 2 products and 2 sums of 4 floats.
inline constexpr Ceiling reference{8.0 * 2, 8.0 * 2, 4.0 * 2};
#elif defined(__aarch64__)
// Cortex-A72 and A76: 2 vector operations a cycle, of which 1 multiplies integers. Dense: eor, cnt
// and add for 128. Depth-wise: mla for 16. Floats: fmul and fadd for 4.
inline constexpr Ceiling neon{128.0 * 2 / 3, 16.0, 4.0};

// NEON as the compiler uses it: smlal for 4.
inline constexpr Ceiling reference{4.0, 4.0, 4.0};
#endif

}  // namespace ceilings

inline const Ceiling& ceiling_of(const bdnet::Kernels& kernels) {
#define BDNET_INSTRUCTION_SET(name, runs, because) \
  if (&kernels == &bdnet::name##_kernels()) return ceilings::name;
#include "bdnet/kernels.inc"
  static_cast<void>(kernels);
  return ceilings::reference;
}

// The shortest of some runs: other work on a machine only ever adds time.
template <typename Work>
double best_seconds(int runs, const Work& work) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; ++run) {
    const Clock::time_point start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

// Cycles a second of this processor while it does one thing: additions that wait for each other
// take a cycle each. (Of a register: recent processors add constants for nothing.)
inline double measure_clock() {
  constexpr int kLoops = 20000;
  constexpr int kAdditions = 16;
  std::uint64_t sum = 0;
  std::uint64_t addend = 1;
  const auto add = [&] {
    for (int loop = 0; loop < kLoops; ++loop) {
      for (int i = 0; i < kAdditions; ++i) {
        asm volatile("" : "+r"(sum), "+r"(addend));
        sum += addend;
      }
    }
  };
  return kLoops * kAdditions / best_seconds(100, add);
}

// The least time to copy so many bytes that `bytes` are read or written in all: the ceiling of what
// is bound by memory.
inline double copy_seconds(double bytes) {
  const auto half = static_cast<std::size_t>(bytes / 2);
  const std::vector<std::byte> from(half, std::byte{1});
  std::vector<std::byte> to(half);
  return best_seconds(30, [&] {
    std::memcpy(to.data(), from.data(), half);
    asm volatile("" : : "r"(to.data()) : "memory");
  });
}
