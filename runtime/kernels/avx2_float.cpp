#include "avx2_codes.h"
#include "avx2_lanes.h"
#include "avx2_loops.h"
#include "lane_loops.h"

// The loops over floats for AVX2.
namespace bdnet::avx2 {

void depthwise_epilogue(const DepthwiseEpilogue& row) noexcept {
  for_unit(row.epilogue.unit, DepthwiseEpilogueLoop<Lanes, Codes>{row});
}

void ordered_conv_row(const OrderedRow& row) noexcept { bdnet::ordered_conv_row<Lanes>(row); }

void average_row(const PoolRow& row) noexcept { bdnet::average_row<Lanes>(row); }

}  // namespace bdnet::avx2
