#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "node.h"
#include "shape_inference.h"

namespace bdnet::ort {

// The float convolution whose sums have one order.
class OrderedConv {
 public:
  static constexpr const char* kName = "OrderedConv";
  static constexpr std::size_t kInputCount = 2;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

  OrderedConv(const OrtApi& api, const OrtKernelInfo* info)
      : OrderedConv(api, Node(api, info, kName)) {}
  void compute(OrtKernelContext* context) const;
  static void infer_shape(ShapeInference& inference);

 private:
  OrderedConv(const OrtApi& api, const Node& node);

  const OrtApi& api_;
  NodeLabel label_;
  ConvAttributes attributes_;
  std::int64_t filters_ = 0;
  std::vector<float> weights_;
};

}  // namespace bdnet::ort
