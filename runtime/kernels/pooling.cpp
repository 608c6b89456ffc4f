#include "bdnet/pooling.h"

#include <string>

#include "checks.h"

namespace bdnet {

Status check_pool_kernel(const std::array<std::int64_t, 2>& kernel_shape, const char* attribute) {
  if (Status status = check_range(attribute, kernel_shape, 1); !status.ok()) return status;
  if (!product_fits({kernel_shape[0], kernel_shape[1]}, kMaxExactFloat)) {
    return Status::failure("attribute '" + std::string(attribute) + "' is " +
                           join_dims(kernel_shape) + ", expected at most 2^24 taps");
  }
  return Status();
}

Status make_pool_geometry(const std::array<std::int64_t, 2>& kernel_shape,
                          const std::vector<std::int64_t>& input_dims, PoolGeometry* geometry) {
  geometry->kernel_shape = kernel_shape;
  if (Status status = check_input_dims(input_dims, &geometry->input); !status.ok()) return status;
  geometry->output = geometry->input;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t size = geometry->input[axis + 1];
    geometry->output[axis + 1] = (size + kernel_shape[axis] - 1) / kernel_shape[axis];
  }
  return Status();
}

}  // namespace bdnet
