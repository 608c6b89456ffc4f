#include "neon_loops.h"

namespace bdnet::neon {

const InnerLoops kInnerLoops{
    "neon",         1,         kFilterTile,   1,              kChannelTile,
    encode_signs,   binarise,  dense_tile,    depthwise_row,  depthwise_sums,
    depthwise_epilogue, pointwise_row, ordered_conv_row, average_tile};

}  // namespace bdnet::neon
