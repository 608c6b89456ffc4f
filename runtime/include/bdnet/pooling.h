#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "bdnet/status.h"

namespace bdnet {

// Average pooling with stride = kernel: the input is cut into tiles, and those at the lower and the
// right edge may be smaller.
struct PoolGeometry {
  std::array<std::int64_t, 2> kernel_shape{1, 1};  // height, width
  Shape4 input{};
  Shape4 output{};
};

// Checks what does not depend on the input. The number of taps must be a float, hence the limit of
// 2^24 on it. Messages call the attribute what `attribute` says.
Status check_pool_kernel(const std::array<std::int64_t, 2>& kernel_shape,
                         const char* attribute = "kernel_shape");

// Checks the input's shape, and computes the geometry; the output's height is
// ceil(height / kernel height), its width likewise. The batch may be empty; nothing else may.
Status make_pool_geometry(const std::array<std::int64_t, 2>& kernel_shape,
                          const std::vector<std::int64_t>& input_dims, PoolGeometry* geometry);

}  // namespace bdnet
