#include "lane_loops.h"
#include "neon_codes.h"
#include "neon_lanes.h"
#include "neon_loops.h"

// The loops over floats for NEON.
namespace bdnet::neon {

void depthwise_epilogue(const DepthwiseEpilogue& row) noexcept {
  for_unit(row.epilogue.unit, DepthwiseEpilogueLoop<Lanes, Codes>{row});
}

void ordered_conv_row(const OrderedRow& row) noexcept { bdnet::ordered_conv_row<Lanes>(row); }

void average_row(const PoolRow& row) noexcept { bdnet::average_row<Lanes>(row); }

}  // namespace bdnet::neon
