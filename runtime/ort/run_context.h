#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bdnet/convolution.h"
#include "failure.h"
#include "node.h"

namespace bdnet::ort {

// Memory for one run, from the session's own allocator.
class ScratchMemory {
 public:
  // Fails with the label if there is not enough; `what` takes it, in the plural.
  ScratchMemory(const OrtApi& api, OrtAllocator* allocator, std::int64_t bytes,
                const NodeLabel& label, const char* what);
  ScratchMemory(const ScratchMemory&) = delete;
  ScratchMemory& operator=(const ScratchMemory&) = delete;
  ~ScratchMemory();

  std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }

 private:
  const OrtApi& api_;
  OrtAllocator* allocator_;
  void* data_ = nullptr;
};

// The session's allocator, for as long as a kernel lives.
class Allocator {
 public:
  Allocator(const OrtApi& api, const OrtKernelInfo* info);

  ScratchMemory allocate(std::int64_t bytes, const NodeLabel& label, const char* what) const {
    return ScratchMemory(api_, allocator_.get(), bytes, label, what);
  }

 private:
  const OrtApi& api_;
  std::unique_ptr<OrtAllocator, void (*)(OrtAllocator*)> allocator_;
};

// One run of a node: its tensors and threads, as ONNX Runtime hands them out.
class RunContext {
 public:
  RunContext(const OrtApi& api, OrtKernelContext* context) : api_(api), context_(context) {}

  std::vector<std::int64_t> input_dims(std::size_t index) const;
  const float* input(std::size_t index) const;
  float* output(const Shape4& shape) { return output(shape.data(), shape.size()); }
  float* output(const std::vector<std::int64_t>& shape) {
    return output(shape.data(), shape.size());
  }

  // Calls body(row) for every row in [0, rows) on the session's intra-op threads. The body must not
  // throw.
  template <typename Body>
  void for_each_row(std::int64_t rows, Body body) {
    static_assert(noexcept(body(std::int64_t{})));
    const auto call = [](void* erased, std::size_t row) {
      (*static_cast<Body*>(erased))(static_cast<std::int64_t>(row));
    };
    constexpr std::size_t kLetOrtChooseBatches = 0;
    check(api_, api_.KernelContext_ParallelFor(context_, call, static_cast<std::size_t>(rows),
                                               kLetOrtChooseBatches, &body));
  }

 private:
  const OrtValue* input_value(std::size_t index) const;
  float* output(const std::int64_t* dims, std::size_t rank);

  const OrtApi& api_;
  OrtKernelContext* context_;
};

}  // namespace bdnet::ort
