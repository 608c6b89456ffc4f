#include "bdnet/convolution.h"

#include <string>

#include "bdnet/packing.h"
#include "checks.h"

namespace bdnet {
namespace {

std::string expected_filter(const ConvAttributes& attributes) {
  return "kernel_shape " + join_dims(attributes.kernel_shape) + ", channels " +
         std::to_string(attributes.channels);
}

}  // namespace

Status check_attributes(const ConvAttributes& attributes, std::int64_t filters) {
  for (Status status :
       {check_range("kernel_shape", attributes.kernel_shape, 1),
        check_range("strides", attributes.strides, 1), check_range("pads", attributes.pads, 0),
        check_range("dilations", attributes.dilations, 1),
        check_range("channels", std::array{attributes.channels}, 1),
        check_range("group", std::array{attributes.group}, 1)}) {
    if (!status.ok()) return status;
  }
  if (attributes.pad_value < -1 || attributes.pad_value > 1) {
    return Status::failure("attribute 'pad_value' has the value " +
                           std::to_string(attributes.pad_value) + ", expected -1, 0 or 1");
  }
  if (!product_fits({attributes.kernel_shape[0], attributes.kernel_shape[1], attributes.channels},
                    kMaxExactFloat - 1)) {
    return Status::failure("a filter of " + expected_filter(attributes) +
                           " has 2^24 weights or more, whose sum float32 cannot hold exactly");
  }
  if (filters < 1 || filters > kMaxDimension) {
    return Status::failure("the weights have " + std::to_string(filters) +
                           " filters, expected 1 to " + std::to_string(kMaxDimension));
  }
  if (filters % attributes.group != 0) {
    return Status::failure("the weights have " + std::to_string(filters) +
                           " filters, expected a multiple of group " +
                           std::to_string(attributes.group));
  }
  return Status();
}

Status check_packed_shape(const ConvAttributes& attributes, const std::vector<std::int64_t>& dims,
                          std::int64_t* filters) {
  const int planes = attributes.planes;
  const std::size_t rank = planes == 1 ? 2 : 3;
  if (dims.size() != rank) {
    return Status::failure("the packed weights have rank " + std::to_string(dims.size()) +
                           ", expected " + std::to_string(rank) +
                           (planes == 1 ? " (filters, bytes)" : " (2 bit planes, filters, bytes)"));
  }
  if (planes != 1 && dims[0] != planes) {
    return Status::failure("the packed weights have the shape " + join_dims(dims) + ", expected " +
                           std::to_string(planes) + " bit planes in the first dimension");
  }
  if (Status status = check_attributes(attributes, dims[rank - 2]); !status.ok()) return status;
  const std::int64_t bytes = packed_bytes(attributes.filter_size());
  if (dims[rank - 1] != bytes) {
    return Status::failure("the packed weights have " + std::to_string(dims[rank - 1]) +
                           " bytes per filter, expected " + std::to_string(bytes) + " (" +
                           expected_filter(attributes) + ": " +
                           std::to_string(attributes.filter_size()) + " bits)");
  }
  *filters = dims[rank - 2];
  return Status();
}

Status make_conv_geometry(const ConvAttributes& attributes, std::int64_t filters,
                          const std::vector<std::int64_t>& input_dims, ConvGeometry* geometry,
                          const char* weights, Layout layout) {
  geometry->attributes = attributes;
  geometry->filters = filters;
  Shape4& input = geometry->input;
  if (Status status = check_input_dims(input_dims, &input, layout); !status.ok()) return status;
  if (input[3] != attributes.group * attributes.channels) {
    return Status::failure("the input has " + std::to_string(input[3]) + " channels, " + weights +
                           " are for " + std::to_string(attributes.group * attributes.channels) +
                           " (group " + std::to_string(attributes.group) + " x channels " +
                           std::to_string(attributes.channels) + ")");
  }

  geometry->output[0] = input[0];
  geometry->output[3] = filters;
  std::array<std::int64_t, 2> covered{};
  bool fits = true;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    geometry->padded[axis] = input[axis + 1] + attributes.pads[axis] + attributes.pads[axis + 2];
    covered[axis] = attributes.dilations[axis] * (attributes.kernel_shape[axis] - 1) + 1;
    fits = fits && covered[axis] <= geometry->padded[axis];
    geometry->output[axis + 1] =
        (geometry->padded[axis] - covered[axis]) / attributes.strides[axis] + 1;
  }
  if (!fits) {
    return Status::failure("the kernel covers " + join_dims(covered) + " (kernel_shape " +
                           join_dims(attributes.kernel_shape) + ", dilations " +
                           join_dims(attributes.dilations) + "), the padded input has only " +
                           join_dims(geometry->padded) + "; use a larger input");
  }
  const Shape4 padded{input[0], geometry->padded[0], geometry->padded[1], input[3]};
  if (Status status = check_addressable("the padded input", padded); !status.ok()) return status;
  return check_addressable("the output", geometry->output);
}

}  // namespace bdnet
