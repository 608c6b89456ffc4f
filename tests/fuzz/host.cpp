#include "host.h"

#include <algorithm>
#include <memory>

#include "finding.h"
#include "host_types.h"

extern "C" OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base);

namespace bdnet::fuzz {
namespace {

Tensor copy(const Tensor& tensor) {
  Tensor copied{tensor.type, tensor.dims, Buffer(tensor.bytes.size())};
  std::copy_n(tensor.bytes.data(), tensor.bytes.size(), copied.bytes.data());
  return copied;
}

// Fills in what the adapter says instead of an outcome; whether it said so.
bool refused(OrtStatus* status, Outcome::Kind kind, Outcome* outcome) {
  if (status == nullptr) return false;
  const std::unique_ptr<OrtStatus> owner(status);
  outcome->code = status->code;
  outcome->message = status->message;
  // What is scratch memory for one instruction set is none for another, and the adapter words it.
  const bool memory = status->code == ORT_EP_FAIL ||
                      status->message.find("more than there is memory") != std::string::npos;
  outcome->kind = memory ? Outcome::Kind::kNoMemory : kind;
  return true;
}

}  // namespace

const OrtCustomOp& find_operator(const std::string& name) {
  static const OrtApiBase base{[](std::uint32_t) noexcept { return &host_api(); },
                               []() noexcept { return "host"; }};
  OrtSessionOptions options;
  if (RegisterCustomOps(&options, &base) != nullptr) finding("does not register its operators");
  for (const OrtCustomOp* op : options.domain->operators) {
    if (op->GetName(op) == name) return *op;
  }
  finding(("has no operator " + name).c_str());
}

std::vector<std::int64_t> infer_shape(const OrtCustomOp& op, const Node& node) {
  OrtShapeInferContext context{&node, {}, {}, {}};
  for (std::size_t i = 0; i <= node.constants.size(); ++i) {
    context.inputs.push_back(declared(node, i));
  }
  for (const Attribute& attribute : node.attributes) context.attributes.push_back({&attribute});
  const std::unique_ptr<OrtStatus> status(op.InferOutputShapeFn(&op, &context));
  if (status != nullptr) finding("fails to infer a shape instead of leaving it unknown");
  return context.output;
}

Outcome run(const OrtCustomOp& op, const Node& node, std::uint8_t fill) {
  Outcome outcome;
  void* kernel = nullptr;
  {
    // A session may free its constants once kernels are created: these are gone when it runs.
    std::vector<Tensor> constants;
    for (const Constant& constant : node.constants) constants.push_back(copy(constant.tensor));
    OrtKernelInfo info{&node, fill, {}};
    for (const Tensor& constant : constants) info.constants.push_back({&constant});
    if (refused(op.CreateKernelV2(&op, &host_api(), &info, &kernel),
                Outcome::Kind::kRefusedCreation, &outcome)) {
      return outcome;
    }
  }
  OrtKernelContext context{&node, {&node.x}, fill, {}, {nullptr}};
  context.output.tensor = &context.output_tensor;
  const bool failed =
      refused(op.KernelComputeV2(kernel, &context), Outcome::Kind::kRefusedRun, &outcome);
  op.KernelDestroy(kernel);
  if (failed) return outcome;
  outcome.dims = context.output_tensor.dims;
  const Buffer& bytes = context.output_tensor.bytes;
  const auto* values = reinterpret_cast<const float*>(bytes.data());
  outcome.values.assign(values, values + bytes.size() / sizeof(float));
  return outcome;
}

}  // namespace bdnet::fuzz
