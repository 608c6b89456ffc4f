#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "node.h"

namespace bdnet::fuzz {

// A node of this operator: sound, and in half of all cases with up to three faults.
Node read_node(const std::string& op, const std::uint8_t* data, std::size_t size);

}  // namespace bdnet::fuzz
