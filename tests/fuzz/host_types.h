#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "node.h"

// The types that the C API declares and does not define.

struct OrtStatus {
  OrtErrorCode code;
  std::string message;
};

struct OrtCustomOpDomain {
  std::vector<const OrtCustomOp*> operators;
};

struct OrtSessionOptions {
  const OrtCustomOpDomain* domain = nullptr;
};

struct OrtTensorTypeAndShapeInfo {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<std::int64_t> dims;
  std::string batch_name;
};

struct OrtTypeInfo {
  OrtTensorTypeAndShapeInfo tensor;
};

struct OrtValue {
  const bdnet::fuzz::Tensor* tensor;
};

struct OrtOpAttr {
  const bdnet::fuzz::Attribute* attribute;
};

struct OrtKernelInfo {
  const bdnet::fuzz::Node* node;
  std::uint8_t fill;
  std::vector<OrtValue> constants;
};

struct OrtShapeInferContext {
  const bdnet::fuzz::Node* node;
  std::vector<OrtTensorTypeAndShapeInfo> inputs;
  std::vector<OrtOpAttr> attributes;
  std::vector<std::int64_t> output;
};

struct OrtKernelContext {
  const bdnet::fuzz::Node* node;
  OrtValue input;
  std::uint8_t fill;
  bdnet::fuzz::Tensor output_tensor;
  OrtValue output;
};

namespace bdnet::fuzz {

// The functions of the C API, over those types.
const OrtApi& host_api();

// Input `index` of a node as the graph declares it.
OrtTensorTypeAndShapeInfo declared(const Node& node, std::size_t index);

}  // namespace bdnet::fuzz
