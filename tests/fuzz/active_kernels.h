#pragma once

#include "bdnet/kernels.h"

namespace bdnet::fuzz {

// Makes these the kernels that active_kernels() gives from now on. What a kernel of the adapter's
// has arranged is for the table that was active when it was created.
void use_kernels(const Kernels& kernels);

}  // namespace bdnet::fuzz
