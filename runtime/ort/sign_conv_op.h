#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned_bytes.h"
#include "bdnet/convolution.h"
#include "node.h"
#include "run_context.h"
#include "shape_inference.h"

namespace bdnet::ort {

// A convolution of signs with packed weights; the two operators differ in the number of bit planes.
class SignConv {
 public:
  static constexpr std::size_t kInputCount = 2;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

  void compute(OrtKernelContext* context) const;

 protected:
  SignConv(const OrtApi& api, const OrtKernelInfo* info, const Node& node, int planes);

  static void infer_shape(ShapeInference& inference, int planes);

 private:
  const OrtApi& api_;
  Allocator allocator_;
  NodeLabel label_;
  ConvAttributes attributes_;
  std::int64_t filters_ = 0;
  AlignedBytes tiled_weights_;
};

class BinaryConv : public SignConv {
 public:
  static constexpr const char* kName = "BinaryConv";
  BinaryConv(const OrtApi& api, const OrtKernelInfo* info)
      : SignConv(api, info, Node(api, info, kName), 1) {}
  static void infer_shape(ShapeInference& inference) { SignConv::infer_shape(inference, 1); }
};

class TernaryConv : public SignConv {
 public:
  static constexpr const char* kName = "TernaryConv";
  TernaryConv(const OrtApi& api, const OrtKernelInfo* info)
      : SignConv(api, info, Node(api, info, kName), 2) {}
  static void infer_shape(ShapeInference& inference) { SignConv::infer_shape(inference, 2); }
};

}  // namespace bdnet::ort
