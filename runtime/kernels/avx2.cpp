#include "avx2_codes.h"
#include "avx2_loops.h"

namespace bdnet::avx2 {

const InnerLoops kInnerLoops{"avx2",           Codes::kWordChannels, Codes::kWordBytes,
                             kFilterTile,      Codes::kCodeBytes,    2 * Codes::kWordChannels,
                             kChannelTile,     encode_signs,         binarise,
                             dense_tile,       linear_tile,          depthwise_row,
                             depthwise_sums,   depthwise_epilogue,   pointwise_row,
                             ordered_conv_row, average_row};

}  // namespace bdnet::avx2
