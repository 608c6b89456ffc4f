#include "run_context.h"

#include <string>

namespace bdnet::ort {
namespace {

OrtAllocator* session_allocator(const OrtApi& api, const OrtKernelInfo* info) {
  OrtAllocator* allocator = nullptr;
  check(api, api.KernelInfoGetAllocator(info, OrtMemTypeDefault, &allocator));
  return allocator;
}

}  // namespace

ScratchMemory::ScratchMemory(const OrtApi& api, OrtAllocator* allocator, std::int64_t bytes,
                             const NodeLabel& label, const char* what)
    : api_(api), allocator_(allocator) {
  OrtStatus* status = api_.AllocatorAlloc(allocator_, static_cast<std::size_t>(bytes), &data_);
  if (status != nullptr) api_.ReleaseStatus(status);
  if (status != nullptr || data_ == nullptr) {
    label.fail(std::string(what) + " take " + std::to_string(bytes) +
               " bytes, more than there is memory; use a smaller batch or input");
  }
}

ScratchMemory::~ScratchMemory() {
  if (OrtStatus* status = api_.AllocatorFree(allocator_, data_)) api_.ReleaseStatus(status);
}

Allocator::Allocator(const OrtApi& api, const OrtKernelInfo* info)
    : api_(api), allocator_(session_allocator(api, info), api.ReleaseAllocator) {}

const OrtValue* RunContext::input_value(std::size_t index) const {
  const OrtValue* value = nullptr;
  check(api_, api_.KernelContext_GetInput(context_, index, &value));
  if (value == nullptr) throw InvalidInput("an input of a node of ai.bdnet is missing");
  return value;
}

std::vector<std::int64_t> RunContext::input_dims(std::size_t index) const {
  return read_dims(api_, input_value(index));
}

const float* RunContext::input(std::size_t index) const {
  void* data = nullptr;
  // The C API has no read-only access; nothing is written through the pointer.
  check(api_, api_.GetTensorMutableData(const_cast<OrtValue*>(input_value(index)), &data));
  return static_cast<const float*>(data);
}

float* RunContext::output(const std::int64_t* dims, std::size_t rank) {
  OrtValue* value = nullptr;
  check(api_, api_.KernelContext_GetOutput(context_, 0, dims, rank, &value));
  void* data = nullptr;
  check(api_, api_.GetTensorMutableData(value, &data));
  return static_cast<float*>(data);
}

}  // namespace bdnet::ort
