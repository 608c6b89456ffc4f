#include "x86_features.h"

#include <cpuid.h>

#include <cstdint>

namespace bdnet {
namespace {

constexpr bool all_of(std::uint32_t bits, std::uint32_t wanted) noexcept {
  return (bits & wanted) == wanted;
}

// The registers that the operating system saves (XCR0); 0 if it cannot tell.
std::uint32_t saved_registers() noexcept {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || !all_of(ecx, bit_OSXSAVE)) return 0;
  // Not the intrinsic, which wants this file compiled for processors that have the instruction.
  asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return eax;
}

bool has(std::uint32_t registers, std::uint32_t ebx_wanted, std::uint32_t ecx_wanted) noexcept {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return all_of(saved_registers(), registers) &&
         __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && all_of(ebx, ebx_wanted) &&
         all_of(ecx, ecx_wanted);
}

constexpr std::uint32_t kYmm = 0x06;         // XMM and the upper halves of YMM
constexpr std::uint32_t kZmm = kYmm | 0xe0;  // masks, and the two kinds of ZMM

}  // namespace

bool has_avx2() noexcept { return has(kYmm, bit_AVX2, 0); }

bool has_avx512() noexcept {
  constexpr unsigned kVpopcntdq = 1U << 14;  // compilers disagree on its name
  return has(kZmm, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL, kVpopcntdq);
}

}  // namespace bdnet
