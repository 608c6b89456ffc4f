#include "sign_conv_op.h"

#include "bdnet/dispatch.h"
#include "conv_attributes.h"
#include "packed_weights.h"

namespace bdnet::ort {
namespace {

template <typename Source>
ConvAttributes read_attributes(const Source& source, int planes,
                               const std::vector<std::int64_t>& weight_dims,
                               std::int64_t* filters) {
  ConvAttributes attributes = read_sign_conv_attributes(source);
  attributes.channels = source.integer("channels");
  attributes.group = source.integer("group");
  attributes.planes = planes;
  source.require(check_packed_shape(attributes, weight_dims, filters));
  return attributes;
}

}  // namespace

SignConv::SignConv(const OrtApi& api, const OrtKernelInfo* info, const Node& node, int planes)
    : api_(api), allocator_(api, info), label_(node.label()) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  node.require_type(1, "the packed weights", ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  const ConstantTensor packed = node.constant(1, "the packed weights");
  attributes_ = read_attributes(node, planes, packed.dims, &filters_);
  tiled_weights_ = load_packed_weights(packed, attributes_, filters_);
}

void SignConv::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  ConvGeometry geometry;
  label_.require(make_conv_geometry(attributes_, filters_, run.input_dims(0), &geometry));
  float* y = run.output(geometry.output);
  if (geometry.input[0] == 0) return;

  const Kernels& kernels = active_kernels();
  const float* x = run.input(0);
  const ScratchMemory scratch =
      allocator_.allocate(kernels.sign_bytes(geometry), label_, "the signs of the padded input");
  std::byte* signs = scratch.data();
  run.for_each_row(geometry.input[0] * geometry.padded[0], [&](std::int64_t row) noexcept {
    kernels.binarise_rows(geometry, x, signs, row, row + 1);
  });
  const std::byte* weights = tiled_weights_.data();
  run.for_each_row(geometry.output[0] * geometry.output[1], [&](std::int64_t row) noexcept {
    kernels.sign_conv_rows(geometry, signs, weights, y, row, row + 1);
  });
}

void SignConv::infer_shape(ShapeInference& inference, int planes) {
  std::int64_t filters = 0;
  const ConvAttributes attributes =
      read_attributes(inference, planes, inference.input_dims(1), &filters);
  ConvGeometry geometry;
  inference.require(make_conv_geometry(attributes, filters, inference.input_dims(0), &geometry));
  inference.set_output(geometry.output);
}

}  // namespace bdnet::ort
