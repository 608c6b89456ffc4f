#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>

#include "shape_inference.h"

namespace bdnet::ort {

// Says in JSON what this library is, as string[1]: {"version": "0.1.0", "isa": "avx2", "reason":
// "chosen: the processor has AVX2"}. It is an operator because a custom-op library exports
// RegisterCustomOps and nothing else.
class LibraryInfo {
 public:
  static constexpr const char* kName = "LibraryInfo";
  static constexpr std::size_t kInputCount = 0;
  static constexpr ONNXTensorElementDataType kOutputType = ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;

  LibraryInfo(const OrtApi& api, const OrtKernelInfo*) : api_(api) {}
  void compute(OrtKernelContext* context) const;
  static void infer_shape(ShapeInference&) {}

 private:
  const OrtApi& api_;
};

}  // namespace bdnet::ort
