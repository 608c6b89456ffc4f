#pragma once

#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "bdnet/status.h"
#include "node.h"
#include "shape_inference.h"

// What the two operators of an ordered float convolution share: the convolution of
// docs/operators.md whose weights [kh, kw, C, M] are a constant of floats.
namespace bdnet::ort {

// Takes from the weights' shape [kh, kw, C, M] what the attributes do not say.
Status apply_weight_dims(const std::vector<std::int64_t>& dims, ConvAttributes* attributes,
                         std::int64_t* filters);

// Reads attributes and weights of a node whose input 1 holds those. Throws what Node throws.
std::vector<float> load_ordered_weights(const Node& node, ConvAttributes* attributes,
                                        std::int64_t* filters);

// Gives the output its shape, if it is known, for an input of these dimensions [N, H, W, C].
void infer_ordered_shape(ShapeInference& inference, const std::vector<std::int64_t>& input_dims);

}  // namespace bdnet::ort
