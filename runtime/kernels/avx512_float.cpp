#include "avx512_codes.h"
#include "avx512_lanes.h"
#include "avx512_loops.h"
#include "lane_loops.h"

// The loops over floats for AVX-512.
namespace bdnet::avx512 {

void depthwise_epilogue(const DepthwiseEpilogue& row) noexcept {
  for_unit(row.epilogue.unit, DepthwiseEpilogueLoop<Lanes, Codes>{row});
}

void ordered_conv_row(const OrderedRow& row) noexcept { bdnet::ordered_conv_row<Lanes>(row); }

void average_row(const PoolRow& row) noexcept { bdnet::average_row<Lanes>(row); }

}  // namespace bdnet::avx512
