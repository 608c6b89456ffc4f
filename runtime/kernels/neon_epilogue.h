#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "inner_loops.h"

// What follows a convolution in a unit, for four channels at a time; see UnitConstants.
namespace bdnet::neon {
namespace {

// The constants of four channels.
struct Constants {
  Constants(const UnitConstants& constants, std::int64_t channel) noexcept
      : scale(vld1q_f32(constants.scale + channel)),
        bn_mul(vld1q_f32(constants.bn_mul + channel)),
        bn_add(vld1q_f32(constants.bn_add + channel)),
        shift_in(vld1q_f32(constants.shift_in + channel)),
        slope(vld1q_f32(constants.slope + channel)),
        shift_out(vld1q_f32(constants.shift_out + channel)) {}

  float32x4_t scale;
  float32x4_t bn_mul;
  float32x4_t bn_add;
  float32x4_t shift_in;
  float32x4_t slope;
  float32x4_t shift_out;
};

template <Residual kResidual, bool kRectify>
inline float32x4_t finish_unit(int32x4_t sum, float32x4_t shortcut, const Constants& c) noexcept {
  float32x4_t t = vmulq_f32(vcvtq_f32_s32(sum), c.scale);
  if constexpr (kResidual == Residual::kBeforeNorm) t = vaddq_f32(t, shortcut);
  t = vaddq_f32(vmulq_f32(t, c.bn_mul), c.bn_add);
  if constexpr (kResidual == Residual::kAfterNorm) t = vaddq_f32(t, shortcut);
  t = vaddq_f32(t, c.shift_in);
  const uint32x4_t negative = vcltzq_f32(t);
  if constexpr (kRectify) {
    t = vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(t), negative));
  } else {
    t = vbslq_f32(negative, vmulq_f32(t, c.slope), t);
  }
  return vaddq_f32(t, c.shift_out);
}

// Calls the loop, a template over what finish_unit() is one over, that does what `unit` says.
template <template <Residual, bool> class Loop, typename... Arguments>
inline void call_for_unit(const UnitAttributes& unit, const Arguments&... arguments) noexcept {
  switch (unit.residual) {
    case Residual::kNone:
      return unit.rectify ? Loop<Residual::kNone, true>::run(arguments...)
                          : Loop<Residual::kNone, false>::run(arguments...);
    case Residual::kBeforeNorm:
      return unit.rectify ? Loop<Residual::kBeforeNorm, true>::run(arguments...)
                          : Loop<Residual::kBeforeNorm, false>::run(arguments...);
    case Residual::kAfterNorm:
      return unit.rectify ? Loop<Residual::kAfterNorm, true>::run(arguments...)
                          : Loop<Residual::kAfterNorm, false>::run(arguments...);
  }
}

}  // namespace
}  // namespace bdnet::neon
