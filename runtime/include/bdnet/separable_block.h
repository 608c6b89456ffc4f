#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "bdnet/pooling.h"
#include "bdnet/status.h"

namespace bdnet {

// Where a unit adds its shortcut. The numbers are those of the operator's attributes.
enum class Residual : std::int64_t { kNone = 0, kBeforeNorm = 1, kAfterNorm = 2 };

// What follows the convolution of one unit, the epilogue, besides its constants. With rectify
// negative values become 0 and the slope is not used (ReLU).
struct UnitAttributes {
  Residual residual = Residual::kNone;
  bool rectify = false;
};

// A block's depth-wise kernel has at most this many taps, so that their sum fits into a byte, and
// its channels are at most so many that the point-wise sum, of two planes, fits into 16 bits.
inline constexpr std::int64_t kMostBlockTaps = 127;
inline constexpr std::int64_t kMostBlockChannels = 16383;
// With a single channel the two convolutions could not be told apart.
inline constexpr std::int64_t kFewestBlockChannels = 2;

// Constants of a unit are padded with zeros to a multiple of this many floats, so that kernels may
// read whole vectors of them.
inline constexpr std::int64_t kConstantTile = 16;

// The constants of one unit, a finite float for each channel: `threshold` of the input, the others
// of the output. A unit computes, each step rounded (docs/numerics.md, rule 5):
//   t = conv(x >= threshold ? +1 : -1) * scale
//   t = t + shortcut(x)                 kBeforeNorm
//   t = t * bn_mul + bn_add             a product, then a sum
//   t = t + shortcut(x)                 kAfterNorm
//   t = t + shift_in
//   t = t < 0 ? t * slope : t           with rectify 0 instead of the product
//   t = t + shift_out
// The threshold is the operator's shift, negated: x + shift >= 0 and x >= -shift are the same for a
// finite shift, since a sum of floats is rounded to 0 only where it is 0.
struct UnitConstants {
  const float* threshold;
  const float* scale;
  const float* bn_mul;
  const float* bn_add;
  const float* shift_in;
  const float* slope;
  const float* shift_out;
};

// A depth-wise unit and the point-wise unit behind it.
struct SeparableBlockAttributes {
  ConvAttributes depthwise;  // channels 1, group C
  ConvAttributes pointwise;  // 1 x 1, channels C, group 1
  std::int64_t filters = 0;  // M, of the point-wise convolution
  UnitAttributes depthwise_unit;
  UnitAttributes pointwise_unit;
};

// A block at one input shape. x: depthwise.input; y: pointwise.output.
struct SeparableBlockGeometry {
  ConvGeometry depthwise;
  ConvGeometry pointwise;
  UnitAttributes depthwise_unit;
  UnitAttributes pointwise_unit;
  PoolGeometry shortcut;  // of the depth-wise unit: averages over windows of its strides
};

// What a kernel needs besides: the weights, as tile_sign_filters() of the same table arranged
// them, and the constants.
struct SeparableBlockWeights {
  const std::byte* depthwise;
  const std::byte* pointwise;
  UnitConstants depthwise_constants;
  UnitConstants pointwise_constants;
};

// Checks everything that does not depend on the input.
Status check_separable_block(const SeparableBlockAttributes& attributes);

// Checks the input's shape against attributes that check_separable_block() accepted, and computes
// the geometry. Fails also where the shortcut's shape would not be the convolution's.
Status make_separable_block_geometry(const SeparableBlockAttributes& attributes,
                                     const std::vector<std::int64_t>& input_dims,
                                     SeparableBlockGeometry* geometry);

}  // namespace bdnet
