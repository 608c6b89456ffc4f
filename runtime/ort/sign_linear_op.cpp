#include "sign_linear_op.h"

#include <vector>

#include "bdnet/dispatch.h"
#include "packed_weights.h"

namespace bdnet::ort {
namespace {

template <typename Source>
SignLinear read_linear(const Source& source, int planes,
                       const std::vector<std::int64_t>& weight_dims) {
  source.require(check_packing_version(source.integer("packing_version")));
  SignLinear linear;
  source.require(make_sign_linear(source.integer("channels"), planes, weight_dims, &linear));
  return linear;
}

}  // namespace

SignLinearOp::SignLinearOp(const OrtApi& api, const OrtKernelInfo* info, const Node& node,
                           int planes)
    : api_(api), allocator_(api, info), label_(node.label()) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  node.require_type(1, "the packed weights", ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  const ConstantTensor packed = node.constant(1, "the packed weights");
  linear_ = read_linear(node, planes, packed.dims);
  tiled_weights_ = load_packed_weights(packed, linear_);
}

void SignLinearOp::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  std::vector<std::int64_t> dims = run.input_dims(0);
  std::int64_t rows = 0;
  label_.require(count_linear_rows(linear_, dims, &rows));
  dims.back() = linear_.outputs;
  float* y = run.output(dims);
  if (rows == 0) return;

  const Kernels& kernels = active_kernels();
  const float* x = run.input(0);
  const ScratchMemory scratch = allocator_.allocate(kernels.linear_sign_bytes(linear_, rows),
                                                    label_, "the signs of the input");
  std::byte* signs = scratch.data();
  run.for_each_row(rows, [&](std::int64_t row) noexcept {
    kernels.binarise_linear_rows(linear_, x, signs, row, row + 1);
  });
  const std::byte* weights = tiled_weights_.data();
  run.for_each_row(linear_parts(linear_), [&](std::int64_t part) noexcept {
    kernels.sign_linear_parts(linear_, rows, signs, weights, y, part, part + 1);
  });
}

void SignLinearOp::infer_shape(ShapeInference& inference, int planes) {
  const SignLinear linear = read_linear(inference, planes, inference.input_dims(1));
  std::vector<std::int64_t> dims = inference.input_dims(0);
  std::int64_t rows = 0;
  inference.require(count_linear_rows(linear, dims, &rows));
  if (dims.size() < 2) return;  // no batch, which the output would take over
  dims.back() = linear.outputs;
  inference.set_output(dims);
}

}  // namespace bdnet::ort
