#include "active_kernels.h"

#include "bdnet/dispatch.h"

// Linked in place of runtime/kernels/active_kernels.cpp.
namespace bdnet {
namespace {

Selection& selection() {
  static Selection selected{&reference_kernels(), "the target chooses", Status()};
  return selected;
}

}  // namespace

const Selection& active_selection() { return selection(); }

namespace fuzz {

void use_kernels(const Kernels& kernels) { selection().kernels = &kernels; }

}  // namespace fuzz
}  // namespace bdnet
