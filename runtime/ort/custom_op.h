#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "failure.h"
#include "shape_inference.h"

namespace bdnet::ort {

// The ONNX Runtime API that the library is built on, see cmake/FindOrtHeaders.cmake.
inline constexpr std::uint32_t kOrtApi = 21;
static_assert(kOrtApi == ORT_API_VERSION);

// Makes ONNX Runtime's table of callbacks out of a kernel class:
//   static constexpr const char* kName;
//   static constexpr std::size_t kInputCount;
//   static constexpr ONNXTensorElementDataType kOutputType;
//   static void infer_shape(ShapeInference&);
//   Kernel(const OrtApi&, const OrtKernelInfo*);
//   void compute(OrtKernelContext*) const;
// all of which may throw. There is one output. Inputs are declared to be of any type, so that a
// wrong one reaches the kernel's constructor, which can say what was expected.
template <typename Kernel>
class CustomOp : public OrtCustomOp {
 public:
  explicit CustomOp(const OrtApi& api) : OrtCustomOp{}, api_(api) {
    version = kOrtApi;
    GetName = [](const OrtCustomOp*) { return Kernel::kName; };
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
    GetInputTypeCount = [](const OrtCustomOp*) { return Kernel::kInputCount; };
    GetInputType = [](const OrtCustomOp*, std::size_t) {
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    };
    GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_REQUIRED; };
    GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return OrtMemTypeDefault; };
    GetOutputTypeCount = [](const OrtCustomOp*) { return std::size_t{1}; };
    GetOutputType = [](const OrtCustomOp*, std::size_t) { return Kernel::kOutputType; };
    GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_REQUIRED; };
    GetStartVersion = [](const OrtCustomOp*) { return 1; };
    GetEndVersion = [](const OrtCustomOp*) { return 1; };
    InferOutputShapeFn = [](const OrtCustomOp* self, OrtShapeInferContext* context) {
      const OrtApi& ort_api = static_cast<const CustomOp*>(self)->api_;
      return guarded(ort_api, [&] {
        ShapeInference inference(ort_api, context);
        try {
          Kernel::infer_shape(inference);
        } catch (const UnknownShape&) {
          // Runs give the shape.
        }
      });
    };
    CreateKernelV2 = [](const OrtCustomOp*, const OrtApi* ort_api, const OrtKernelInfo* info,
                        void** kernel) {
      return guarded(*ort_api, [&] {
        *kernel = std::make_unique<Instance>(Instance{*ort_api, Kernel(*ort_api, info)}).release();
      });
    };
    KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
      const auto* instance = static_cast<const Instance*>(kernel);
      return guarded(instance->api, [&] { instance->kernel.compute(context); });
    };
    KernelDestroy = [](void* kernel) { delete static_cast<Instance*>(kernel); };
  }

 private:
  struct Instance {
    const OrtApi& api;
    Kernel kernel;
  };

  const OrtApi& api_;
};

}  // namespace bdnet::ort
