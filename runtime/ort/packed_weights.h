#pragma once

#include <cstdint>

#include "aligned_bytes.h"
#include "bdnet/convolution.h"
#include "node.h"

namespace bdnet::ort {

// Fails unless the node's attribute packing_version is the one that this library reads.
void require_packing_version(const Node& node);

// Unpacks a constant of packed weights and arranges them as the active kernels want them. Sets
// `filters`. Throws what Node throws.
AlignedBytes load_packed_weights(const NodeLabel& label, const ConstantTensor& packed,
                                 const ConvAttributes& attributes, std::int64_t* filters);

}  // namespace bdnet::ort
