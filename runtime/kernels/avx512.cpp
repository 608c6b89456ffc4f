#include "avx512_codes.h"
#include "avx512_loops.h"

namespace bdnet::avx512 {

const InnerLoops kInnerLoops{"avx512",         Codes::kWordChannels, Codes::kWordBytes,
                             kFilterTile,      Codes::kCodeBytes,    Codes::kWordChannels,
                             kChannelTile,     encode_signs,         binarise,
                             dense_tile,       dense_tile,           depthwise_row,
                             depthwise_sums,   depthwise_epilogue,   pointwise_row,
                             ordered_conv_row, average_row};

}  // namespace bdnet::avx512
