#include "bdnet/separable_block.h"

#include <string>

#include "checks.h"

namespace bdnet {

Status check_separable_block(const SeparableBlockAttributes& attributes) {
  const ConvAttributes& depthwise = attributes.depthwise;
  const std::int64_t channels = attributes.pointwise.channels;
  // First, since the checks below call the channels a group, which the node does not have.
  if (channels < kFewestBlockChannels || channels > kMostBlockChannels) {
    return Status::failure("attribute 'channels' has the value " + std::to_string(channels) +
                           ", expected " + std::to_string(kFewestBlockChannels) + " to " +
                           std::to_string(kMostBlockChannels) +
                           " in a block; export the model with --no-fuse");
  }
  if (Status status = check_attributes(depthwise, depthwise.group); !status.ok()) return status;
  if (depthwise.filter_size() > kMostBlockTaps) {
    return Status::failure("attribute 'kernel_shape' is " + join_dims(depthwise.kernel_shape) +
                           ", expected at most " + std::to_string(kMostBlockTaps) +
                           " taps in a block; export the model with --no-fuse");
  }
  if (attributes.depthwise_unit.residual != Residual::kNone) {
    if (Status status = check_pool_kernel(depthwise.strides, "strides"); !status.ok()) {
      return status;
    }
  }
  if (Status status = check_attributes(attributes.pointwise, attributes.filters); !status.ok()) {
    return status;
  }
  if (attributes.pointwise_unit.residual != Residual::kNone && attributes.filters < channels) {
    return Status::failure("the point-wise unit has a residual from " + std::to_string(channels) +
                           " to " + std::to_string(attributes.filters) +
                           " channels, expected no fewer outputs than inputs");
  }
  return Status();
}

Status make_separable_block_geometry(const SeparableBlockAttributes& attributes,
                                     const std::vector<std::int64_t>& input_dims,
                                     SeparableBlockGeometry* geometry) {
  geometry->depthwise_unit = attributes.depthwise_unit;
  geometry->pointwise_unit = attributes.pointwise_unit;
  if (Status status =
          make_conv_geometry(attributes.depthwise, attributes.depthwise.group, input_dims,
                             &geometry->depthwise, "the depth-wise weights");
      !status.ok()) {
    return status;
  }
  const Shape4& middle = geometry->depthwise.output;
  if (attributes.depthwise_unit.residual != Residual::kNone) {
    if (Status status =
            make_pool_geometry(attributes.depthwise.strides, input_dims, &geometry->shortcut);
        !status.ok()) {
      return status;
    }
    if (geometry->shortcut.output != middle) {
      return Status::failure("the depth-wise convolution gives " + join_dims(middle) +
                             ", its shortcut " + join_dims(geometry->shortcut.output) +
                             "; expected pads that keep the size, or with strides its quotient "
                             "rounded up (kernel 3, pads 1)");
    }
  }
  // One pixel from each pixel: nothing is left to check but the size.
  ConvGeometry& pointwise = geometry->pointwise;
  pointwise.attributes = attributes.pointwise;
  pointwise.filters = attributes.filters;
  pointwise.input = middle;
  pointwise.padded = {middle[1], middle[2]};
  pointwise.output = {middle[0], middle[1], middle[2], attributes.filters};
  return check_addressable("the output", pointwise.output);
}

}  // namespace bdnet
