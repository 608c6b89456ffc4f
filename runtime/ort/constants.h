#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "node.h"

namespace bdnet::ort {

// A constant of one finite float per channel: [channels], or [1] for all of them. Padded with zeros
// to a multiple of kConstantTile. Throws what Node throws.
std::vector<float> load_channel_constant(const Node& node, std::size_t input, const char* name,
                                         std::int64_t channels);

}  // namespace bdnet::ort
