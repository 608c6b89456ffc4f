#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bdnet/packing.h"
#include "reference.h"

// One value at a time, in the words of docs/numerics.md. Compiled with -ffp-contract=off: every
// product and every sum is rounded on its own.
namespace bdnet::reference {
namespace {

Sign sign(float x) noexcept { return x >= 0.0f ? Sign{1} : Sign{-1}; }

float epilogue(std::int32_t sum, float shortcut, const UnitAttributes& unit,
               const UnitConstants& constants, std::int64_t channel) noexcept {
  float t = static_cast<float>(sum) * constants.scale[channel];
  if (unit.residual == Residual::kBeforeNorm) t = t + shortcut;
  t = t * constants.bn_mul[channel];
  t = t + constants.bn_add[channel];
  if (unit.residual == Residual::kAfterNorm) t = t + shortcut;
  t = t + constants.shift_in[channel];
  if (t < 0.0f) t = unit.rectify ? 0.0f : t * constants.slope[channel];
  return t + constants.shift_out[channel];
}

// One image [H, W, C] and a place in the output.
struct Place {
  const float* image;
  std::int64_t oy;
  std::int64_t ox;
};

// weights: [taps, C].
std::int32_t depthwise_sum(const ConvGeometry& geometry, const Sign* weights,
                           const float* threshold, const Place& at, std::int64_t channel) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const auto [batch, height, width, channels] = geometry.input;
  std::int32_t sum = 0;
  for (std::int64_t ky = 0; ky < a.kernel_shape[0]; ++ky) {
    for (std::int64_t kx = 0; kx < a.kernel_shape[1]; ++kx) {
      const std::int64_t iy = at.oy * a.strides[0] + ky * a.dilations[0] - a.pads[0];
      const std::int64_t ix = at.ox * a.strides[1] + kx * a.dilations[1] - a.pads[1];
      const bool inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
      const Sign s =
          inside ? sign(at.image[(iy * width + ix) * channels + channel] - threshold[channel])
                 : static_cast<Sign>(a.pad_value);
      sum += s * weights[(ky * a.kernel_shape[1] + kx) * channels + channel];
    }
  }
  return sum;
}

float average(const PoolGeometry& geometry, const Place& at, std::int64_t channel) noexcept {
  const auto [batch, height, width, channels] = geometry.input;
  const std::int64_t top = at.oy * geometry.kernel_shape[0];
  const std::int64_t left = at.ox * geometry.kernel_shape[1];
  float sum = 0.0f;
  std::int64_t taps = 0;
  for (std::int64_t iy = top; iy < std::min(top + geometry.kernel_shape[0], height); ++iy) {
    for (std::int64_t ix = left; ix < std::min(left + geometry.kernel_shape[1], width); ++ix) {
      sum += at.image[(iy * width + ix) * channels + channel];
      ++taps;
    }
  }
  return sum / static_cast<float>(taps);
}

}  // namespace

// One pixel between the units: its values, then their signs.
std::int64_t separable_block_scratch_bytes(const SeparableBlockGeometry& geometry) noexcept {
  return geometry.depthwise.filters * static_cast<std::int64_t>(sizeof(float) + sizeof(Sign));
}

void separable_block_rows(const SeparableBlockGeometry& geometry,
                          const SeparableBlockWeights& weights, const float* x, float* y,
                          std::byte* scratch, bool /*resumes*/, std::int64_t begin,
                          std::int64_t end) noexcept {
  const auto* depthwise = reinterpret_cast<const Sign*>(weights.depthwise);
  const auto* pointwise = reinterpret_cast<const Sign*>(weights.pointwise);
  const auto [batch, height, width, channels] = geometry.depthwise.input;
  const auto [out_batch, out_height, out_width, filters] = geometry.pointwise.output;
  auto* middle = reinterpret_cast<float*>(scratch);
  auto* signs = reinterpret_cast<Sign*>(middle + channels);
  for (std::int64_t row = begin; row < end; ++row) {
    const float* image = x + row / out_height * height * width * channels;
    for (std::int64_t ox = 0; ox < out_width; ++ox) {
      const Place at{image, row % out_height, ox};
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int32_t sum = depthwise_sum(geometry.depthwise, depthwise,
                                               weights.depthwise_constants.threshold, at, c);
        const bool residual = geometry.depthwise_unit.residual != Residual::kNone;
        middle[c] = epilogue(sum, residual ? average(geometry.shortcut, at, c) : 0.0f,
                             geometry.depthwise_unit, weights.depthwise_constants, c);
        signs[c] = sign(middle[c] - weights.pointwise_constants.threshold[c]);
      }
      for (std::int64_t m = 0; m < filters; ++m) {
        std::int32_t sum = 0;
        for (std::int64_t c = 0; c < channels; ++c) sum += signs[c] * pointwise[m * channels + c];
        y[(row * out_width + ox) * filters + m] = epilogue(
            sum, middle[m % channels], geometry.pointwise_unit, weights.pointwise_constants, m);
      }
    }
  }
}

}  // namespace bdnet::reference
