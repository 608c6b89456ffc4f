#pragma once

#include <onnxruntime_c_api.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "node.h"
#include "shape_inference.h"

namespace bdnet::ort {

// The average pool whose sums have one order.
class OrderedAveragePool {
 public:
  static constexpr const char* kName = "OrderedAveragePool";
  static constexpr std::size_t kInputCount = 1;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

  OrderedAveragePool(const OrtApi& api, const OrtKernelInfo* info)
      : OrderedAveragePool(api, Node(api, info, kName)) {}
  void compute(OrtKernelContext* context) const;
  static void infer_shape(ShapeInference& inference);

 private:
  OrderedAveragePool(const OrtApi& api, const Node& node);

  const OrtApi& api_;
  NodeLabel label_;
  std::array<std::int64_t, 2> kernel_shape_{};
};

}  // namespace bdnet::ort
