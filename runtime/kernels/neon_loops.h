#pragma once

#include <cstdint>

#include "inner_loops.h"

// The NEON inner loops, by file; neon.cpp makes a table of them.
namespace bdnet::neon {

inline constexpr std::int64_t kFilterTile = 64;   // four vectors of bytes
inline constexpr std::int64_t kChannelTile = 16;  // depth-wise, channels to a vector of bytes

#include "inner_loop_functions.inc"

}  // namespace bdnet::neon
