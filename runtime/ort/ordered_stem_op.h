#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "node.h"
#include "shape_inference.h"

namespace bdnet::ort {

// The float stem: an image of planes in, its normalised ordered convolution out, channels last.
class OrderedStem {
 public:
  static constexpr const char* kName = "OrderedStem";
  static constexpr std::size_t kInputCount = 4;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

  OrderedStem(const OrtApi& api, const OrtKernelInfo* info)
      : OrderedStem(api, Node(api, info, kName)) {}
  void compute(OrtKernelContext* context) const;
  static void infer_shape(ShapeInference& inference);

 private:
  OrderedStem(const OrtApi& api, const Node& node);

  const OrtApi& api_;
  NodeLabel label_;
  ConvAttributes attributes_;
  std::int64_t filters_ = 0;
  std::vector<float> weights_;
  std::vector<float> bn_mul_;
  std::vector<float> bn_add_;
};

}  // namespace bdnet::ort
