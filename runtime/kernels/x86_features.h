#pragma once

// What this processor has and the operating system lets programs use. Asked of the processor
// itself: not every compiler that builds us has a __builtin_cpu_supports() that tells the truth.
namespace bdnet {

bool has_avx2() noexcept;

// AVX-512 F, BW, DQ, VL and VPOPCNTDQ.
bool has_avx512() noexcept;

}  // namespace bdnet
