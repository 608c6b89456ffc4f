#include "ordered_stem_op.h"

#include "bdnet/dispatch.h"
#include "constants.h"
#include "ordered_weights.h"
#include "run_context.h"

namespace bdnet::ort {

OrderedStem::OrderedStem(const OrtApi& api, const Node& node)
    : api_(api),
      label_(node.label()),
      weights_(load_ordered_weights(node, &attributes_, &filters_)),
      bn_mul_(load_channel_constant(node, 2, "bn_mul", filters_)),
      bn_add_(load_channel_constant(node, 3, "bn_add", filters_)) {}

void OrderedStem::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  ConvGeometry geometry;
  label_.require(make_conv_geometry(attributes_, filters_, run.input_dims(0), &geometry,
                                    "the weights", Layout::kChannelsFirst));
  float* y = run.output(geometry.output);
  if (geometry.input[0] == 0) return;

  const Kernels& kernels = active_kernels();
  const float* image = run.input(0);
  run.for_each_row(geometry.output[0] * geometry.output[1], [&](std::int64_t row) noexcept {
    kernels.ordered_stem_rows(geometry, image, weights_.data(), bn_mul_.data(), bn_add_.data(), y,
                              row, row + 1);
  });
}

void OrderedStem::infer_shape(ShapeInference& inference) {
  infer_ordered_shape(inference, Layout::kChannelsFirst);
}

}  // namespace bdnet::ort
