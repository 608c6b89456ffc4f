#pragma once

#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "node.h"
#include "shape_inference.h"

// What the two operators of an ordered float convolution share: the convolution of
// docs/operators.md whose weights [kh, kw, C, M] are a constant of floats.
namespace bdnet::ort {

// Reads attributes and weights of a node whose input 1 holds those. Throws what Node throws.
std::vector<float> load_ordered_weights(const Node& node, ConvAttributes* attributes,
                                        std::int64_t* filters);

// Gives the output its shape, for an input in this order.
void infer_ordered_shape(ShapeInference& inference, Layout layout);

}  // namespace bdnet::ort
