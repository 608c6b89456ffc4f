#pragma once

#include "bdnet/kernels.h"

// For each kernel of kernels.inc, compare_NAME(): `kernels` against the reference on a grid of
// shapes that takes in every branch the kernel may have: attributes, and counts on either side of
// the widths of vectors and tiles.
#define BDNET_KERNEL(name) void compare_##name(const bdnet::Kernels& kernels);
#include "bdnet/kernels.inc"
