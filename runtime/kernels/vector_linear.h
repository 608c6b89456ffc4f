#pragma once

#include <cstddef>
#include <cstdint>

#include "bdnet/packing.h"
#include "bdnet/sign_linear.h"
#include "inner_loops.h"

// The members of Kernels for linear layers of signs, for any instruction set but the reference.
namespace bdnet {

std::int64_t linear_weight_bytes(const InnerLoops& loops, const SignLinear& linear) noexcept;
void tile_linear_weights(const InnerLoops& loops, const SignLinear& linear, const Sign* weights,
                         std::byte* tiled) noexcept;
std::int64_t linear_sign_bytes(const InnerLoops& loops, const SignLinear& linear,
                               std::int64_t rows) noexcept;
void binarise_linear_rows(const InnerLoops& loops, const SignLinear& linear, const float* x,
                          std::byte* signs, std::int64_t begin, std::int64_t end) noexcept;
void sign_linear_parts(const InnerLoops& loops, const SignLinear& linear, std::int64_t rows,
                       const std::byte* signs, const std::byte* tiled, float* y, std::int64_t begin,
                       std::int64_t end) noexcept;

}  // namespace bdnet
