#include "checks.h"

#include <algorithm>

namespace bdnet {

Status check_input_dims(const std::vector<std::int64_t>& dims, Shape4* shape, Layout layout) {
  const bool channels_last = layout == Layout::kChannelsLast;
  if (dims.size() != shape->size()) {
    return Status::failure(
        "the input has rank " + std::to_string(dims.size()) + ", expected 4 (batch, " +
        (channels_last ? "height, width, channels)" : "channels, height, width)"));
  }
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const std::int64_t low = axis == 0 ? 0 : 1;
    if (dims[axis] < low || dims[axis] > kMaxDimension) {
      return Status::failure("the input has the shape " + join_dims(dims) +
                             ", expected height, width and channels of 1 to " +
                             std::to_string(kMaxDimension) + " (only the batch may be empty)");
    }
  }
  std::copy(dims.begin(), dims.end(), shape->begin());
  if (!channels_last) std::rotate(shape->begin() + 1, shape->begin() + 2, shape->end());
  return Status();
}

bool product_fits(std::initializer_list<std::int64_t> factors, std::int64_t limit) noexcept {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (factor == 0) return true;
    if (product > limit / factor) return false;
    product *= factor;
  }
  return true;
}

Status check_addressable(const char* what, const Shape4& shape) {
  constexpr std::int64_t kMaxFloats =
      static_cast<std::int64_t>(std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float));
  if (!product_fits({shape[0], shape[1], shape[2], shape[3]}, kMaxFloats)) {
    return Status::failure(std::string(what) + " would have the shape " + join_dims(shape) +
                           ", more than can be addressed; use a smaller input or less padding");
  }
  return Status();
}

}  // namespace bdnet
