#include "ordered_conv_op.h"

#include "bdnet/dispatch.h"
#include "ordered_weights.h"
#include "run_context.h"

namespace bdnet::ort {

OrderedConv::OrderedConv(const OrtApi& api, const Node& node)
    : api_(api),
      label_(node.label()),
      weights_(load_ordered_weights(node, &attributes_, &filters_)) {}

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
  infer_ordered_shape(inference, Layout::kChannelsLast);
}

}  // namespace bdnet::ort
