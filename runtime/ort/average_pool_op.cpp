#include "average_pool_op.h"

#include "bdnet/dispatch.h"
#include "bdnet/pooling.h"
#include "run_context.h"

namespace bdnet::ort {

OrderedAveragePool::OrderedAveragePool(const OrtApi& api, const Node& node)
    : api_(api), label_(node.label()) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  kernel_shape_ = node.integers<2>("kernel_shape");
  label_.require(check_pool_kernel(kernel_shape_));
}

void OrderedAveragePool::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  PoolGeometry geometry;
  label_.require(make_pool_geometry(kernel_shape_, run.input_dims(0), &geometry));
  float* y = run.output(geometry.output);
  if (geometry.input[0] == 0) return;

  const Kernels& kernels = active_kernels();
  const float* x = run.input(0);
  run.for_each_row(geometry.output[0] * geometry.output[1], [&](std::int64_t row) noexcept {
    kernels.ordered_average_pool_rows(geometry, x, y, row, row + 1);
  });
}

void OrderedAveragePool::infer_shape(ShapeInference& inference) {
  const auto kernel_shape = inference.integers<2>("kernel_shape");
  PoolGeometry geometry;
  inference.require(check_pool_kernel(kernel_shape));
  inference.require(make_pool_geometry(kernel_shape, inference.input_dims(0), &geometry));
  inference.set_output(geometry.output);
}

}  // namespace bdnet::ort
