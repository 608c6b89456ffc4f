#include "ordered_weights.h"

#include <string>

namespace bdnet::ort {

Status apply_weight_dims(const std::vector<std::int64_t>& dims, ConvAttributes* attributes,
                         std::int64_t* filters) {
  if (dims.size() != 4) {
    return Status::failure("the weights have rank " + std::to_string(dims.size()) +
                           ", expected 4 (kernel height, kernel width, channels, filters)");
  }
  for (const std::int64_t dim : dims) {
    if (dim < 1) return Status::failure("the weights have an empty dimension, expected none");
  }
  attributes->kernel_shape = {dims[0], dims[1]};
  attributes->channels = dims[2];
  *filters = dims[3];
  return check_attributes(*attributes, *filters);
}

std::vector<float> load_ordered_weights(const Node& node, ConvAttributes* attributes,
                                        std::int64_t* filters) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  node.require_type(1, "the weights", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  attributes->strides = node.integers<2>("strides");
  attributes->pads = node.integers<4>("pads");
  attributes->dilations = node.integers<2>("dilations");
  const ConstantTensor weights = node.constant(1, "the weights");
  node.label().require(apply_weight_dims(weights.dims, attributes, filters));
  const auto* data = static_cast<const float*>(weights.data);
  return {data, data + attributes->filter_size() * *filters};
}

void infer_ordered_shape(ShapeInference& inference, const std::vector<std::int64_t>& input_dims) {
  const auto strides = inference.integers<2>("strides");
  const auto pads = inference.integers<4>("pads");
  const auto dilations = inference.integers<2>("dilations");
  if (!strides || !pads || !dilations) return;
  ConvAttributes attributes;
  attributes.strides = *strides;
  attributes.pads = *pads;
  attributes.dilations = *dilations;
  std::int64_t filters = 0;
  ConvGeometry geometry;
  if (apply_weight_dims(inference.input_dims(1), &attributes, &filters).ok() &&
      make_conv_geometry(attributes, filters, input_dims, &geometry).ok()) {
    inference.set_output(geometry.output);
  }
}

}  // namespace bdnet::ort
