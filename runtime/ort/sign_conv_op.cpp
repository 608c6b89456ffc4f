#include "sign_conv_op.h"

#include <optional>
#include <string>

#include "bdnet/dispatch.h"
#include "packed_weights.h"

namespace bdnet::ort {
namespace {

ConvAttributes read_attributes(const Node& node, int planes) {
  require_packing_version(node);
  ConvAttributes attributes;
  attributes.kernel_shape = node.integers<2>("kernel_shape");
  attributes.strides = node.integers<2>("strides");
  attributes.pads = node.integers<4>("pads");
  attributes.dilations = node.integers<2>("dilations");
  attributes.channels = node.integer("channels");
  attributes.group = node.integer("group");
  attributes.pad_value = node.integer("pad_value");
  attributes.planes = planes;
  return attributes;
}

std::optional<ConvAttributes> infer_attributes(const ShapeInference& inference, int planes) {
  const auto kernel_shape = inference.integers<2>("kernel_shape");
  const auto strides = inference.integers<2>("strides");
  const auto pads = inference.integers<4>("pads");
  const auto dilations = inference.integers<2>("dilations");
  const auto channels = inference.integer("channels");
  const auto group = inference.integer("group");
  if (!kernel_shape || !strides || !pads || !dilations || !channels || !group) return std::nullopt;
  ConvAttributes attributes;
  attributes.kernel_shape = *kernel_shape;
  attributes.strides = *strides;
  attributes.pads = *pads;
  attributes.dilations = *dilations;
  attributes.channels = *channels;
  attributes.group = *group;
  attributes.planes = planes;
  return attributes;
}

}  // namespace

SignConv::SignConv(const OrtApi& api, const OrtKernelInfo* info, const Node& node, int planes)
    : api_(api), allocator_(api, info), label_(node.label()) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  node.require_type(1, "the packed weights", ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  attributes_ = read_attributes(node, planes);
  tiled_weights_ =
      load_packed_weights(label_, node.constant(1, "the packed weights"), attributes_, &filters_);
}

void SignConv::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  ConvGeometry geometry;
  label_.require(make_conv_geometry(attributes_, filters_, run.input_dims(0), &geometry));
  float* y = run.output(geometry.output);
  if (geometry.input[0] == 0) return;

  const Kernels& kernels = active_kernels();
  const float* x = run.input(0);
  const auto bytes = static_cast<std::size_t>(kernels.sign_bytes(geometry));
  const ScratchMemory scratch = allocator_.allocate(bytes);
  std::byte* signs = scratch.data();
  if (signs == nullptr) {
    label_.fail("the signs of the padded input take " + std::to_string(bytes) +
                " bytes, more than there is memory; use a smaller batch or input");
  }
  run.for_each_row(geometry.input[0] * geometry.padded[0], [&](std::int64_t row) noexcept {
    kernels.binarise_rows(geometry, x, signs, row, row + 1);
  });
  const std::byte* weights = tiled_weights_.data();
  run.for_each_row(geometry.output[0] * geometry.output[1], [&](std::int64_t row) noexcept {
    kernels.sign_conv_rows(geometry, signs, weights, y, row, row + 1);
  });
}

void SignConv::infer_shape(ShapeInference& inference, int planes) {
  const std::optional<ConvAttributes> attributes = infer_attributes(inference, planes);
  std::int64_t filters = 0;
  ConvGeometry geometry;
  if (attributes && check_packed_shape(*attributes, inference.input_dims(1), &filters).ok() &&
      make_conv_geometry(*attributes, filters, inference.input_dims(0), &geometry).ok()) {
    inference.set_output(geometry.output);
  }
}

}  // namespace bdnet::ort
