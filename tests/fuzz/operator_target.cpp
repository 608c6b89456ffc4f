#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "active_kernels.h"
#include "bdnet/dispatch.h"
#include "finding.h"
#include "host.h"
#include "random_node.h"

// One operator, BDNET_FUZZ_OPERATOR: shape inference, creation and a run of any node, with every
// table of kernels that this processor can run. Whatever the node says: no crash, a refusal is one
// sentence about this node, and an output is that of the reference, every value of it.
namespace bdnet::fuzz {
namespace {

constexpr const char* kOperator = BDNET_FUZZ_OPERATOR;

// Of unlike bits, so that what a kernel leaves as it found it differs from what another left so.
constexpr std::uint8_t kReferenceFill = 0x55;
constexpr std::uint8_t kFill = 0xAA;

using Kind = Outcome::Kind;
using Dims = std::vector<std::int64_t>;

void check_refusal(const Outcome& outcome) {
  if (outcome.kind != Kind::kRefusedCreation && outcome.kind != Kind::kRefusedRun) return;
  const std::string label = std::string("ai.bdnet.") + kOperator + " 'node': ";
  if (outcome.code != ORT_INVALID_ARGUMENT || outcome.message.rfind(label, 0) != 0 ||
      outcome.message.size() <= label.size() || outcome.message.find('\n') != std::string::npos) {
    finding(("refuses with: " + outcome.message).c_str());
  }
}

bool equal(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void check_equal(const Outcome& expected, const Outcome& got) {
  // Tables need different amounts of memory, and the host has little.
  if (expected.kind == Kind::kNoMemory || got.kind == Kind::kNoMemory) return;
  if (got.kind != expected.kind || got.message != expected.message) {
    finding("refuses with one table of kernels what it takes with another");
  }
  if (got.dims != expected.dims) finding("gives another shape than with the reference");
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    if (!equal(expected.values[i], got.values[i])) finding("gives other values than the reference");
  }
}

// Whether a shape of this kind, -1 where it is not known, can turn out to be that.
bool agrees(const Dims& known, const Dims& found) {
  if (known.size() != found.size()) return false;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i] >= 0 && known[i] != found[i]) return false;
  }
  return true;
}

void check_inference(const Node& node, const Dims& inferred, const Outcome& outcome) {
  if (inferred.empty() || !agrees(node.declared_dims, node.x.dims)) return;
  if (outcome.kind == Kind::kDone && !agrees(inferred, outcome.dims)) {
    finding("infers another shape than it gives");
  }
  if (outcome.kind == Kind::kRefusedRun && node.declared_dims == node.x.dims) {
    finding("infers a shape for what it refuses to run");
  }
}

}  // namespace
}  // namespace bdnet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bdnet::fuzz;
  static const OrtCustomOp& op = find_operator(kOperator);
  const Node node = read_node(kOperator, data, size);
  const Dims inferred = infer_shape(op, node);
  use_kernels(bdnet::reference_kernels());
  const Outcome expected = run(op, node, kReferenceFill);
  check_refusal(expected);
  check_inference(node, inferred, expected);
  for (const bdnet::Kernels* kernels : bdnet::available_kernels()) {
    if (kernels == &bdnet::reference_kernels()) continue;
    use_kernels(*kernels);
    const Outcome got = run(op, node, kFill);
    check_refusal(got);
    check_equal(expected, got);
  }
  return 0;
}
