#pragma once

#include <cstdint>

#include "aligned_bytes.h"
#include "bdnet/convolution.h"
#include "bdnet/sign_linear.h"
#include "bdnet/status.h"
#include "node.h"

namespace bdnet::ort {

// Fails unless a node's attribute packing_version is the one that this library reads.
Status check_packing_version(std::int64_t version);

// Unpacks a constant of packed weights, whose shape has been checked, and arranges
// them as the active kernels want them.
AlignedBytes load_packed_weights(const ConstantTensor& packed, const ConvAttributes& attributes,
                                 std::int64_t filters);
AlignedBytes load_packed_weights(const ConstantTensor& packed, const SignLinear& linear);

}  // namespace bdnet::ort
