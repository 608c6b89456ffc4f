#include "node.h"

#include <memory>

#include "failure.h"

namespace bdnet::ort {
namespace {

std::string read_node_name(const OrtApi& api, const OrtKernelInfo* info) {
  std::size_t size = 0;  // with the terminating zero
  check(api, api.KernelInfo_GetNodeName(info, nullptr, &size));
  std::string name(size, '\0');
  check(api, api.KernelInfo_GetNodeName(info, name.data(), &size));
  name.resize(size == 0 ? 0 : size - 1);
  return name;
}

const char* type_name(ONNXTensorElementDataType type) noexcept {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return "tensor(float)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
      return "tensor(uint8)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return "tensor(int8)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return "tensor(int32)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return "tensor(int64)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return "tensor(float16)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return "tensor(double)";
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return "tensor(bfloat16)";
    default:
      return "another type";
  }
}

}  // namespace

void NodeLabel::fail(const std::string& message) const {
  throw InvalidInput(text_ + ": " + message);
}

Node::Node(const OrtApi& api, const OrtKernelInfo* info, const char* op)
    : api_(api), info_(info), label_(op, read_node_name(api, info)) {}

std::int64_t Node::integer(const char* attribute) const {
  std::int64_t value = 0;
  if (OrtStatus* status = api_.KernelInfoGetAttribute_int64(info_, attribute, &value)) {
    api_.ReleaseStatus(status);
    label_.fail("attribute '" + std::string(attribute) +
                "' is missing or of another type, expected an integer");
  }
  return value;
}

void Node::read_integers(const char* attribute, std::int64_t* values, std::size_t count) const {
  const std::string expected = ", expected " + std::to_string(count) + " integers";
  std::size_t size = 0;
  if (OrtStatus* status =
          api_.KernelInfoGetAttributeArray_int64(info_, attribute, nullptr, &size)) {
    api_.ReleaseStatus(status);
    label_.fail("attribute '" + std::string(attribute) + "' is missing or of another type" +
                expected);
  }
  if (size != count) {
    label_.fail("attribute '" + std::string(attribute) + "' has length " + std::to_string(size) +
                expected);
  }
  check(api_, api_.KernelInfoGetAttributeArray_int64(info_, attribute, values, &size));
}

void Node::require_type(std::size_t input, const char* name, ONNXTensorElementDataType type) const {
  OrtTypeInfo* type_info = nullptr;
  check(api_, api_.KernelInfo_GetInputTypeInfo(info_, input, &type_info));
  const std::unique_ptr<OrtTypeInfo, void (*)(OrtTypeInfo*)> owner(type_info, api_.ReleaseTypeInfo);
  const OrtTensorTypeAndShapeInfo* tensor_info = nullptr;
  check(api_, api_.CastTypeInfoToTensorInfo(type_info, &tensor_info));
  ONNXTensorElementDataType found = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  if (tensor_info != nullptr) {
    check(api_, api_.GetTensorElementType(tensor_info, &found));
  }
  if (found != type) {
    label_.fail("expected " + std::string(type_name(type)) + " for " + name + ", got " +
                type_name(found));
  }
}

ConstantTensor Node::constant(std::size_t input, const char* name) const {
  int is_constant = 0;
  const OrtValue* value = nullptr;
  check(api_, api_.KernelInfoGetConstantInput_tensor(info_, input, &is_constant, &value));
  if (is_constant == 0 || value == nullptr) {
    label_.fail("expected a constant of the graph for " + std::string(name) +
                ", got a value that is computed or given at run time");
  }
  void* data = nullptr;
  // The C API has no read-only access; nothing is written through the pointer.
  check(api_, api_.GetTensorMutableData(const_cast<OrtValue*>(value), &data));
  return {read_dims(api_, value), data};
}

std::vector<std::int64_t> read_dims(const OrtApi& api, const OrtTensorTypeAndShapeInfo* info) {
  std::size_t rank = 0;
  check(api, api.GetDimensionsCount(info, &rank));
  std::vector<std::int64_t> dims(rank);
  check(api, api.GetDimensions(info, dims.data(), rank));
  return dims;
}

std::vector<std::int64_t> read_dims(const OrtApi& api, const OrtValue* value) {
  OrtTensorTypeAndShapeInfo* info = nullptr;
  check(api, api.GetTensorTypeAndShape(value, &info));
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> owner(
      info, api.ReleaseTensorTypeAndShapeInfo);
  return read_dims(api, info);
}

}  // namespace bdnet::ort
