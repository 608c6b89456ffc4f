#include "ordered_conv_op.h"

#include <string>

#include "bdnet/dispatch.h"
#include "run_context.h"

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

}  // namespace

OrderedConv::OrderedConv(const OrtApi& api, const Node& node) : api_(api), label_(node.label()) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  node.require_type(1, "the weights", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  attributes_.strides = node.integers<2>("strides");
  attributes_.pads = node.integers<4>("pads");
  attributes_.dilations = node.integers<2>("dilations");
  const ConstantTensor weights = node.constant(1, "the weights");
  label_.require(apply_weight_dims(weights.dims, &attributes_, &filters_));
  const auto* data = static_cast<const float*>(weights.data);
  weights_.assign(data, data + attributes_.filter_size() * filters_);
}

void OrderedConv::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  ConvGeometry geometry;
  label_.require(
      make_conv_geometry(attributes_, filters_, run.input_dims(0), &geometry, "the weights"));
  float* y = run.output(geometry.output);
  if (geometry.input[0] == 0) return;

  const Kernels& kernels = active_kernels();
  const float* x = run.input(0);
  const float* weights = weights_.data();
  run.for_each_row(geometry.output[0] * geometry.output[1], [&](std::int64_t row) noexcept {
    kernels.ordered_conv_rows(geometry, x, weights, y, row, row + 1);
  });
}

void OrderedConv::infer_shape(ShapeInference& inference) {
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
      make_conv_geometry(attributes, filters, inference.input_dims(0), &geometry).ok()) {
    inference.set_output(geometry.output);
  }
}

}  // namespace bdnet::ort
