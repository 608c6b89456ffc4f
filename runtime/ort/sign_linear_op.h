#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>

#include "aligned_bytes.h"
#include "bdnet/sign_linear.h"
#include "node.h"
#include "run_context.h"
#include "shape_inference.h"

namespace bdnet::ort {

// A linear layer of signs with packed weights; the two operators differ in the number of bit
// planes.
class SignLinearOp {
 public:
  static constexpr std::size_t kInputCount = 2;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;

  void compute(OrtKernelContext* context) const;

 protected:
  SignLinearOp(const OrtApi& api, const OrtKernelInfo* info, const Node& node, int planes);

  static void infer_shape(ShapeInference& inference, int planes);

 private:
  const OrtApi& api_;
  Allocator allocator_;
  NodeLabel label_;
  SignLinear linear_;
  AlignedBytes tiled_weights_;
};

class BinaryLinear : public SignLinearOp {
 public:
  static constexpr const char* kName = "BinaryLinear";
  BinaryLinear(const OrtApi& api, const OrtKernelInfo* info)
      : SignLinearOp(api, info, Node(api, info, kName), 1) {}
  static void infer_shape(ShapeInference& inference) { SignLinearOp::infer_shape(inference, 1); }
};

class TernaryLinear : public SignLinearOp {
 public:
  static constexpr const char* kName = "TernaryLinear";
  TernaryLinear(const OrtApi& api, const OrtKernelInfo* info)
      : SignLinearOp(api, info, Node(api, info, kName), 2) {}
  static void infer_shape(ShapeInference& inference) { SignLinearOp::infer_shape(inference, 2); }
};

}  // namespace bdnet::ort
