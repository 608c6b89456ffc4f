#pragma once

#include "node.h"
#include "reader.h"

namespace bdnet::fuzz {

// What a file may say that is not so: attributes missing, of another type, length or value; inputs
// of another type or shape, or not constant; constants that are not finite. Tensors that are
// filled later get the shape alone.
void add_faults(Reader& reader, Node* node);

}  // namespace bdnet::fuzz
