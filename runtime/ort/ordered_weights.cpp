#include "ordered_weights.h"

#include <string>

#include "conv_attributes.h"

namespace bdnet::ort {
namespace {

// Takes from the weights' shape [kh, kw, C, M] what the attributes do not say.
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

template <typename Source>
ConvAttributes read_attributes(const Source& source, const std::vector<std::int64_t>& weight_dims,
                               std::int64_t* filters) {
  ConvAttributes attributes = read_conv_attributes(source);
  source.require(apply_weight_dims(weight_dims, &attributes, filters));
  return attributes;
}

}  // namespace

std::vector<float> load_ordered_weights(const Node& node, ConvAttributes* attributes,
                                        std::int64_t* filters) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  node.require_type(1, "the weights", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const ConstantTensor weights = node.constant(1, "the weights");
  *attributes = read_attributes(node, weights.dims, filters);
  const auto* data = static_cast<const float*>(weights.data);
  return {data, data + attributes->filter_size() * *filters};
}

void infer_ordered_shape(ShapeInference& inference, Layout layout) {
  std::int64_t filters = 0;
  const ConvAttributes attributes = read_attributes(inference, inference.input_dims(1), &filters);
  ConvGeometry geometry;
  inference.require(make_conv_geometry(attributes, filters, inference.input_dims(0), &geometry,
                                       "the weights", layout));
  inference.set_output(geometry.output);
}

}  // namespace bdnet::ort
