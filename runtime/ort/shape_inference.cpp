#include "shape_inference.h"

#include <memory>
#include <string>

#include "failure.h"
#include "node.h"

namespace bdnet::ort {
namespace {

// The name of the first dimension, empty if it has none.
std::string batch_symbol(const OrtApi& api, const OrtTensorTypeAndShapeInfo* info,
                         std::size_t rank) {
  std::vector<const char*> symbols(rank, nullptr);
  check(api, api.GetSymbolicDimensions(info, symbols.data(), rank));
  return rank == 0 || symbols[0] == nullptr ? "" : symbols[0];
}

const OrtTensorTypeAndShapeInfo* input_info(const OrtApi& api, const OrtShapeInferContext* context,
                                            std::size_t index) {
  OrtTensorTypeAndShapeInfo* info = nullptr;  // owned by the context
  check(api, api.ShapeInferContext_GetInputTypeShape(context, index, &info));
  return info;
}

}  // namespace

void ShapeInference::read(const char* attribute, OrtOpAttrType type, void* values,
                          std::size_t bytes) const {
  const OrtOpAttr* found = nullptr;
  std::size_t size = 0;
  OrtStatus* status = api_.ShapeInferContext_GetAttribute(context_, attribute, &found);
  if (status == nullptr) status = api_.ReadOpAttr(found, type, values, bytes, &size);
  if (status != nullptr) {
    api_.ReleaseStatus(status);
    throw UnknownShape();
  }
  if (size != bytes) throw UnknownShape();
}

std::int64_t ShapeInference::integer(const char* attribute) const {
  std::int64_t value = 0;
  read(attribute, ORT_OP_ATTR_INT, &value, sizeof(value));
  return value;
}

std::vector<std::int64_t> ShapeInference::input_dims(std::size_t index) const {
  const OrtTensorTypeAndShapeInfo* info = input_info(api_, context_, index);
  std::vector<std::int64_t> dims = read_dims(api_, info);
  if (!dims.empty() && dims[0] < 0 && !batch_symbol(api_, info, dims.size()).empty()) dims[0] = 0;
  for (const std::int64_t dim : dims) {
    if (dim < 0) throw UnknownShape();
  }
  return dims;
}

void ShapeInference::set_output(std::vector<std::int64_t> dims) {
  const OrtTensorTypeAndShapeInfo* input = input_info(api_, context_, 0);
  const std::vector<std::int64_t> input_dims = read_dims(api_, input);
  const std::string symbol = batch_symbol(api_, input, input_dims.size());

  dims[0] = input_dims[0];
  std::vector<const char*> symbols(dims.size(), "");
  symbols[0] = symbol.c_str();

  OrtTensorTypeAndShapeInfo* output = nullptr;
  check(api_, api_.CreateTensorTypeAndShapeInfo(&output));
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> owner(
      output, api_.ReleaseTensorTypeAndShapeInfo);
  check(api_, api_.SetTensorElementType(output, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT));
  check(api_, api_.SetDimensions(output, dims.data(), dims.size()));
  check(api_, api_.SetSymbolicDimensions(output, symbols.data(), symbols.size()));
  check(api_, api_.ShapeInferContext_SetOutputTypeShape(context_, 0, output));
}

}  // namespace bdnet::ort
