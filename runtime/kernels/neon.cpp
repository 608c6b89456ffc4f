#include "neon_codes.h"
#include "neon_loops.h"

namespace bdnet::neon {

const InnerLoops kInnerLoops{"neon",           Codes::kWordChannels, Codes::kWordBytes,
                             kFilterTile,      Codes::kCodeBytes,    Codes::kWordChannels,
                             kChannelTile,     encode_signs,         binarise,
                             dense_tile,       dense_tile,           depthwise_row,
                             depthwise_sums,   depthwise_epilogue,   pointwise_row,
                             ordered_conv_row, average_row};

}  // namespace bdnet::neon
