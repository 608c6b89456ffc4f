#pragma once

#include <cstddef>
#include <cstdint>

#include "bdnet/separable_block.h"

// The reference's separable block, which has a file of its own; see kernels.h.
namespace bdnet::reference {

std::int64_t separable_block_scratch_bytes(const SeparableBlockGeometry& geometry) noexcept;

void separable_block_rows(const SeparableBlockGeometry& geometry,
                          const SeparableBlockWeights& weights, const float* x, float* y,
                          std::byte* scratch, bool resumes, std::int64_t begin,
                          std::int64_t end) noexcept;

}  // namespace bdnet::reference
