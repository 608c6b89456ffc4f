#pragma once

#include <onnxruntime_c_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned_bytes.h"
#include "bdnet/separable_block.h"
#include "node.h"
#include "run_context.h"
#include "shape_inference.h"

namespace bdnet::ort {

// The constants of one unit, in the order of UnitConstants' members.
using UnitVectors = std::array<std::vector<float>, 7>;

// A depth-wise unit and the point-wise unit behind it.
class SeparableBlock {
 public:
  static constexpr const char* kName = "SeparableBlock";
  static constexpr std::size_t kInputCount = 17;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

  SeparableBlock(const OrtApi& api, const OrtKernelInfo* info)
      : SeparableBlock(api, info, Node(api, info, kName)) {}
  void compute(OrtKernelContext* context) const;
  static void infer_shape(ShapeInference& inference);

 private:
  SeparableBlock(const OrtApi& api, const OrtKernelInfo* info, const Node& node);

  SeparableBlockWeights weights() const noexcept;

  const OrtApi& api_;
  Allocator allocator_;
  NodeLabel label_;
  SeparableBlockAttributes attributes_;
  AlignedBytes depthwise_weights_;
  AlignedBytes pointwise_weights_;
  UnitVectors depthwise_constants_;
  UnitVectors pointwise_constants_;
};

}  // namespace bdnet::ort
