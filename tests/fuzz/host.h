#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>
#include <string>
#include <vector>

#include "node.h"

// What the adapter sees of ONNX Runtime: the functions of its C API that the adapter calls, over a
// Node. The adapter is the shipped one, entered where ONNX Runtime enters it, RegisterCustomOps();
// only what is on the other side of the C API is made here. A session of ONNX Runtime's takes a
// hundred times as long as what is to be tested; those are the matter of tests/mutation.
namespace bdnet::fuzz {

struct Outcome {
  enum class Kind { kDone, kRefusedCreation, kRefusedRun, kNoMemory };

  Kind kind = Kind::kDone;
  OrtErrorCode code = ORT_OK;  // and what the adapter said, if it refused
  std::string message;
  std::vector<std::int64_t> dims;  // the output's, if done
  std::vector<float> values;
};

// The operator that RegisterCustomOps() registers under this name; ends the process if it does not.
const OrtCustomOp& find_operator(const std::string& name);

// The shape that the operator infers for its output; empty if it leaves it unknown.
std::vector<std::int64_t> infer_shape(const OrtCustomOp& op, const Node& node);

// Creates a kernel of the node, runs it on node.x and destroys it. Memory that the kernel has to
// write first holds `fill` in every byte.
Outcome run(const OrtCustomOp& op, const Node& node, std::uint8_t fill);

}  // namespace bdnet::fuzz
