#include "bdnet/separable_block.h"

#include <string>

#include "checks.h"

namespace bdnet {

Status check_separable_block(const SeparableBlockAttributes& attributes) {
  if (Status status = check_attributes(attributes.depthwise, attributes.depthwise.group);
      !status.ok()) {
    return status;
  }
  if (Status status = check_attributes(attributes.pointwise, attributes.filters); !status.ok()) {
    return status;
  }
  const std::int64_t taps = attributes.depthwise.filter_size();
  const std::int64_t channels = attributes.pointwise.channels;
  if (taps > kMostBlockTaps || channels < kFewestBlockChannels || channels > kMostBlockChannels) {
    return Status::failure(
        "the block has " + std::to_string(channels) + " channels and a depth-wise kernel of " +
        std::to_string(taps) + " taps, expected " + std::to_string(kFewestBlockChannels) + " to " +
        std::to_string(kMostBlockChannels) + " channels and at most " +
        std::to_string(kMostBlockTaps) + " taps; export the model with --no-fuse");
  }
  if (attributes.pointwise_unit.residual != Residual::kNone &&
      attributes.filters < attributes.pointwise.channels) {
    return Status::failure("the point-wise unit has a residual from " +
                           std::to_string(attributes.pointwise.channels) + " to " +
                           std::to_string(attributes.filters) +
                           " channels, expected no fewer outputs than inputs");
  }
  return Status();
}

Status make_separable_block_geometry(const SeparableBlockAttributes& attributes,
                                     const std::vector<std::int64_t>& input_dims,
                                     SeparableBlockGeometry* geometry) {
  geometry->depthwise_unit = attributes.depthwise_unit;
  geometry->pointwise_unit = attributes.pointwise_unit;
  if (Status status = make_conv_geometry(attributes.depthwise, attributes.depthwise.group,
                                         input_dims, &geometry->depthwise);
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
                             "; expected pads that keep the size (kernel 3, pads 1)");
    }
  }
  return make_conv_geometry(attributes.pointwise, attributes.filters,
                            {middle.begin(), middle.end()}, &geometry->pointwise);
}

}  // namespace bdnet
