#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "finding.h"
#include "host_types.h"

namespace bdnet::fuzz {
namespace {

// More than this is refused, as a machine refuses what it has no memory for.
constexpr std::size_t kMostBytes = std::size_t{1} << 20;
// Pixels of the output times bytes of constants: what a run may cost.
constexpr std::int64_t kMostWork = std::int64_t{1} << 15;

OrtStatus* no_memory() { return new OrtStatus{ORT_EP_FAIL, "the host has no memory"}; }
OrtStatus* failure(std::string message) { return new OrtStatus{ORT_FAIL, std::move(message)}; }

// Statuses, and the registration.

OrtStatus* create_status(OrtErrorCode code, const char* message) noexcept {
  return new OrtStatus{code, message};
}
const char* get_error_message(const OrtStatus* status) noexcept { return status->message.c_str(); }
void release_status(OrtStatus* status) { delete status; }

OrtStatus* create_domain(const char*, OrtCustomOpDomain** out) noexcept {
  *out = new OrtCustomOpDomain;  // the adapter keeps it for ever
  return nullptr;
}
OrtStatus* add_to_domain(OrtCustomOpDomain* domain, const OrtCustomOp* op) noexcept {
  domain->operators.push_back(op);
  return nullptr;
}
OrtStatus* add_domain(OrtSessionOptions* options, OrtCustomOpDomain* domain) noexcept {
  options->domain = domain;
  return nullptr;
}

// A node while its kernel is created.

OrtStatus* get_node_name(const OrtKernelInfo*, char* out, std::size_t* size) noexcept {
  static constexpr char kName[] = "node";
  if (out != nullptr) std::memcpy(out, kName, sizeof(kName));
  *size = sizeof(kName);
  return nullptr;
}

OrtStatus* get_integer(const OrtKernelInfo* info, const char* name, std::int64_t* out) noexcept {
  const Attribute* attribute = info->node->find(name);
  if (attribute == nullptr || attribute->type != Attribute::Type::kInteger) {
    return failure("no such attribute");
  }
  *out = attribute->values.at(0);
  return nullptr;
}

OrtStatus* get_integers(const OrtKernelInfo* info, const char* name, std::int64_t* out,
                        std::size_t* size) noexcept {
  const Attribute* attribute = info->node->find(name);
  if (attribute == nullptr || attribute->type != Attribute::Type::kIntegers) {
    return failure("no such attribute");
  }
  const std::vector<std::int64_t>& values = attribute->values;
  if (out != nullptr) {
    if (*size < values.size()) return failure("too small a buffer");
    std::copy(values.begin(), values.end(), out);
  }
  *size = values.size();
  return nullptr;
}

OrtStatus* get_input_type(const OrtKernelInfo* info, std::size_t index,
                          OrtTypeInfo** out) noexcept {
  if (index > info->node->constants.size()) finding("asks for an input that the node has not");
  *out = new OrtTypeInfo{declared(*info->node, index)};
  return nullptr;
}
void release_type_info(OrtTypeInfo* info) { delete info; }

OrtStatus* cast_to_tensor(const OrtTypeInfo* info, const OrtTensorTypeAndShapeInfo** out) noexcept {
  // Something that is no tensor, a sequence say, has the type that is not defined.
  *out = info->tensor.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED ? nullptr : &info->tensor;
  return nullptr;
}

OrtStatus* get_constant(const OrtKernelInfo* info, std::size_t index, int* is_constant,
                        const OrtValue** out) noexcept {
  *is_constant = index > 0 && info->node->constants[index - 1].is_constant ? 1 : 0;
  *out = *is_constant != 0 ? &info->constants[index - 1] : nullptr;
  return nullptr;
}

// Tensors and their shapes.

OrtStatus* get_element_type(const OrtTensorTypeAndShapeInfo* info,
                            ONNXTensorElementDataType* out) noexcept {
  *out = info->type;
  return nullptr;
}
OrtStatus* get_rank(const OrtTensorTypeAndShapeInfo* info, std::size_t* out) noexcept {
  *out = info->dims.size();
  return nullptr;
}
OrtStatus* get_dims(const OrtTensorTypeAndShapeInfo* info, std::int64_t* out,
                    std::size_t rank) noexcept {
  std::copy_n(info->dims.begin(), std::min(rank, info->dims.size()), out);
  return nullptr;
}
OrtStatus* get_symbols(const OrtTensorTypeAndShapeInfo* info, const char** out,
                       std::size_t rank) noexcept {
  for (std::size_t i = 0; i < rank; ++i) out[i] = i == 0 ? info->batch_name.c_str() : "";
  return nullptr;
}
OrtStatus* create_info(OrtTensorTypeAndShapeInfo** out) noexcept {
  *out = new OrtTensorTypeAndShapeInfo;
  return nullptr;
}
OrtStatus* set_element_type(OrtTensorTypeAndShapeInfo* info,
                            ONNXTensorElementDataType type) noexcept {
  info->type = type;
  return nullptr;
}
OrtStatus* set_dims(OrtTensorTypeAndShapeInfo* info, const std::int64_t* dims,
                    std::size_t rank) noexcept {
  info->dims.assign(dims, dims + rank);
  return nullptr;
}
OrtStatus* set_symbols(OrtTensorTypeAndShapeInfo* info, const char** symbols,
                       std::size_t rank) noexcept {
  if (rank != info->dims.size()) return failure("as many names as dimensions are needed");
  if (rank > 0) info->batch_name = symbols[0];
  return nullptr;
}
void release_info(OrtTensorTypeAndShapeInfo* info) { delete info; }

OrtStatus* get_value_info(const OrtValue* value, OrtTensorTypeAndShapeInfo** out) noexcept {
  *out = new OrtTensorTypeAndShapeInfo{value->tensor->type, value->tensor->dims, ""};
  return nullptr;
}
OrtStatus* get_data(OrtValue* value, void** out) noexcept {
  *out = value->tensor->bytes.data();
  return nullptr;
}

// The session's allocator gives memory from a cache line on, as ONNX Runtime's does.

struct HostAllocator : OrtAllocator {
  std::uint8_t fill = 0;
};

OrtStatus* get_allocator(const OrtKernelInfo* info, OrtMemType, OrtAllocator** out) noexcept {
  auto* allocator = new HostAllocator{};
  allocator->fill = info->fill;
  *out = allocator;
  return nullptr;
}
void release_allocator(OrtAllocator* allocator) { delete static_cast<HostAllocator*>(allocator); }

OrtStatus* allocate(OrtAllocator* allocator, std::size_t size, void** out) noexcept {
  constexpr std::size_t kCacheLine = 64;
  if (size > kMostBytes) return no_memory();
  if (posix_memalign(out, kCacheLine, size) != 0) return no_memory();
  std::memset(*out, static_cast<HostAllocator*>(allocator)->fill, size);
  return nullptr;
}
OrtStatus* deallocate(OrtAllocator*, void* data) noexcept {
  std::free(data);
  return nullptr;
}

// A run.

OrtStatus* get_input(const OrtKernelContext* context, std::size_t index,
                     const OrtValue** out) noexcept {
  if (index != 0) finding("asks for a constant while it runs");
  *out = &context->input;
  return nullptr;
}

OrtStatus* get_output(OrtKernelContext* context, std::size_t index, const std::int64_t* dims,
                      std::size_t rank, OrtValue** out) noexcept {
  if (index != 0) finding("asks for a second output");
  context->output_tensor.dims.assign(dims, dims + rank);
  for (std::size_t i = 0; i < rank; ++i) {
    if (dims[i] < 0) finding("asks for an output of a negative size");
  }
  const Tensor& x = context->node->x;
  const std::int64_t inputs = count_elements(x.dims, kMostBytes);
  const bool only_shape = inputs < 0 || x.bytes.size() < static_cast<std::size_t>(inputs) * 4;
  const std::int64_t elements = count_elements(context->output_tensor.dims, kMostBytes);
  std::int64_t cost = 1;
  for (const Constant& constant : context->node->constants) {
    cost += static_cast<std::int64_t>(constant.tensor.bytes.size());
  }
  if (only_shape || elements < 0) return no_memory();
  if (elements > 0 && elements / dims[rank - 1] * cost > kMostWork) return no_memory();
  Buffer bytes(static_cast<std::size_t>(elements) * sizeof(float));
  std::memset(bytes.data(), context->fill, bytes.size());
  context->output_tensor.bytes = std::move(bytes);
  *out = &context->output;
  return nullptr;
}

OrtStatus* parallel_for(const OrtKernelContext* context, void (*body)(void*, std::size_t),
                        std::size_t total, std::size_t, void* data) noexcept {
  if (total > kMostBytes) finding("shares more rows than the memory it took can have");
  const std::size_t half = (total + 1) / 2;
  for (std::size_t i = 0; i < total; ++i) {
    std::size_t row = i;
    if (context->node->row_order == RowOrder::kBackward) row = total - 1 - i;
    if (context->node->row_order == RowOrder::kInterleaved) row = i % 2 == 0 ? i / 2 : half + i / 2;
    body(data, row);
  }
  return nullptr;
}

// A node while shapes are inferred.

OrtStatus* get_input_shape(const OrtShapeInferContext* context, std::size_t index,
                           OrtTensorTypeAndShapeInfo** out) noexcept {
  if (index >= context->inputs.size()) return failure("no such input");
  *out = const_cast<OrtTensorTypeAndShapeInfo*>(&context->inputs[index]);
  return nullptr;
}

OrtStatus* get_attribute(const OrtShapeInferContext* context, const char* name,
                         const OrtOpAttr** out) noexcept {
  for (const OrtOpAttr& attribute : context->attributes) {
    if (attribute.attribute->name != name) continue;
    *out = &attribute;
    return nullptr;
  }
  return failure("no such attribute");
}

OrtStatus* read_attribute(const OrtOpAttr* attribute, OrtOpAttrType type, void* data,
                          std::size_t size, std::size_t* out) noexcept {
  const auto wanted =
      type == ORT_OP_ATTR_INT ? Attribute::Type::kInteger : Attribute::Type::kIntegers;
  if (attribute->attribute->type != wanted) return failure("an attribute of another type");
  const std::vector<std::int64_t>& values = attribute->attribute->values;
  *out = values.size() * sizeof(std::int64_t);
  if (*out > size) return failure("too small a buffer");
  std::memcpy(data, values.data(), *out);
  return nullptr;
}

OrtStatus* set_output_shape(const OrtShapeInferContext* context, std::size_t index,
                            const OrtTensorTypeAndShapeInfo* info) noexcept {
  if (index != 0) finding("infers the shape of a second output");
  const_cast<OrtShapeInferContext*>(context)->output = info->dims;
  return nullptr;
}

// What is not here the adapter does not call: it would end the process at address 0.
OrtApi make_api() {
  OrtApi api{};
  api.CreateStatus = create_status;
  api.GetErrorMessage = get_error_message;
  api.ReleaseStatus = release_status;
  api.CreateCustomOpDomain = create_domain;
  api.CustomOpDomain_Add = add_to_domain;
  api.AddCustomOpDomain = add_domain;
  api.KernelInfo_GetNodeName = get_node_name;
  api.KernelInfoGetAttribute_int64 = get_integer;
  api.KernelInfoGetAttributeArray_int64 = get_integers;
  api.KernelInfo_GetInputTypeInfo = get_input_type;
  api.ReleaseTypeInfo = release_type_info;
  api.CastTypeInfoToTensorInfo = cast_to_tensor;
  api.KernelInfoGetConstantInput_tensor = get_constant;
  api.GetTensorElementType = get_element_type;
  api.GetDimensionsCount = get_rank;
  api.GetDimensions = get_dims;
  api.GetSymbolicDimensions = get_symbols;
  api.CreateTensorTypeAndShapeInfo = create_info;
  api.SetTensorElementType = set_element_type;
  api.SetDimensions = set_dims;
  api.SetSymbolicDimensions = set_symbols;
  api.ReleaseTensorTypeAndShapeInfo = release_info;
  api.GetTensorTypeAndShape = get_value_info;
  api.GetTensorMutableData = get_data;
  api.KernelInfoGetAllocator = get_allocator;
  api.ReleaseAllocator = release_allocator;
  api.AllocatorAlloc = allocate;
  api.AllocatorFree = deallocate;
  api.KernelContext_GetInput = get_input;
  api.KernelContext_GetOutput = get_output;
  api.KernelContext_ParallelFor = parallel_for;
  api.ShapeInferContext_GetInputTypeShape = get_input_shape;
  api.ShapeInferContext_GetAttribute = get_attribute;
  api.ReadOpAttr = read_attribute;
  api.ShapeInferContext_SetOutputTypeShape = set_output_shape;
  return api;
}

}  // namespace

OrtTensorTypeAndShapeInfo declared(const Node& node, std::size_t index) {
  if (index == 0) {
    const bool named = node.batch_has_name && !node.declared_dims.empty();
    return {node.declared_type, node.declared_dims, named ? "N" : ""};
  }
  const Tensor& tensor = node.constants[index - 1].tensor;
  return {tensor.type, tensor.dims, ""};
}

const OrtApi& host_api() {
  static const OrtApi api = make_api();
  return api;
}

}  // namespace bdnet::fuzz
