#pragma once

#include <string>
#include <vector>

#include "bdnet/kernels.h"
#include "bdnet/status.h"

namespace bdnet {

// Which kernels run, and why in a few words. `kernels` is null if and only if `status` failed.
struct Selection {
  const Kernels* kernels = nullptr;
  std::string reason;
  Status status;
};

// The tables that this build has and this processor can run, the fastest first; the reference is
// always among them.
const std::vector<const Kernels*>& available_kernels();

// Chooses among `available` the table of the instruction set that is asked for, the first if `isa`
// is null or empty. Fails if it is not there.
Selection select_kernels(const char* isa, const std::vector<const Kernels*>& available);

// What the environment variable BDNET_ISA asked for when this was first called; it stays so for as
// long as the library is loaded.
const Selection& active_selection();

// The kernels of active_selection(), which must not have failed.
inline const Kernels& active_kernels() { return *active_selection().kernels; }

}  // namespace bdnet
