#pragma once

#include <cstdint>
#include <vector>

#include "bdnet/status.h"

namespace bdnet {

// A linear layer of signs: y[n, m] is the sum over c of sign(x[n, c]) * weight[m, c].
struct SignLinear {
  std::int64_t inputs = 1;  // of each sum, fewer than 2^24
  std::int64_t outputs = 1;
  int planes = 1;  // bit planes of a weight: 1 is binary, 2 ternary
};

// Threads share a linear layer's outputs in parts of so many, the last perhaps smaller: of a single
// row there is nothing else to share.
inline constexpr std::int64_t kLinearPart = 64;

constexpr std::int64_t linear_parts(const SignLinear& linear) noexcept {
  return (linear.outputs + kLinearPart - 1) / kLinearPart;
}

// Checks packed weights of shape `dims`, [M, B] for one bit plane and [2, M, B] for two, for
// `inputs` inputs, and describes the layer.
Status make_sign_linear(std::int64_t inputs, int planes, const std::vector<std::int64_t>& dims,
                        SignLinear* linear);

// Checks an input of shape `dims`, [..., inputs], of any rank but 0, and counts its rows. There may
// be none.
Status count_linear_rows(const SignLinear& linear, const std::vector<std::int64_t>& dims,
                         std::int64_t* rows);

}  // namespace bdnet
