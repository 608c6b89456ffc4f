#include "bdnet/sign_linear.h"

#include <cstddef>
#include <limits>
#include <string>

#include "bdnet/convolution.h"
#include "checks.h"

namespace bdnet {

Status make_sign_linear(std::int64_t inputs, int planes, const std::vector<std::int64_t>& dims,
                        SignLinear* linear) {
  // Packed, a linear layer is a convolution of one tap.
  ConvAttributes attributes;
  attributes.channels = inputs;
  attributes.planes = planes;
  *linear = {inputs, 0, planes};
  return check_packed_shape(attributes, dims, &linear->outputs);
}

Status count_linear_rows(const SignLinear& linear, const std::vector<std::int64_t>& dims,
                         std::int64_t* rows) {
  if (dims.empty() || dims.back() != linear.inputs) {
    return Status::failure("the input has the shape " + join_dims(dims) + ", expected " +
                           std::to_string(linear.inputs) + " values in the last dimension");
  }
  constexpr std::int64_t kMaxFloats =
      static_cast<std::int64_t>(std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float));
  *rows = 1;
  bool fits = true;
  for (std::size_t axis = 0; axis + 1 < dims.size(); ++axis) {
    fits = fits && product_fits({*rows, dims[axis], linear.outputs}, kMaxFloats);
    if (fits || dims[axis] == 0) *rows *= dims[axis];
  }
  if (!fits && *rows != 0) {
    return Status::failure("the output would have " + std::to_string(linear.outputs) +
                           " values for each row of an input of the shape " + join_dims(dims) +
                           ", more than can be addressed; use a smaller input");
  }
  return Status();
}

}  // namespace bdnet
