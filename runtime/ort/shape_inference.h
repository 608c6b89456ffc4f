#pragma once

#include <onnxruntime_c_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bdnet/convolution.h"

namespace bdnet::ort {

// A node while ONNX Runtime infers the graph's shapes. Nothing here is an error: what cannot be
// inferred is left unknown, and the kernel's creation says what is wrong with the node.
class ShapeInference {
 public:
  ShapeInference(const OrtApi& api, OrtShapeInferContext* context) : api_(api), context_(context) {}

  std::optional<std::int64_t> integer(const char* attribute) const;

  template <std::size_t N>
  std::optional<std::array<std::int64_t, N>> integers(const char* attribute) const {
    std::array<std::int64_t, N> values{};
    if (!read(attribute, ORT_OP_ATTR_INTS, values.data(), sizeof(values))) return std::nullopt;
    return values;
  }

  // The dimensions of an input, empty if they are not all known. An unknown batch counts as known:
  // it is given as 0, and set_output() puts its symbol into the output.
  std::vector<std::int64_t> input_dims(std::size_t index) const;

  // Gives output 0 this shape, with the batch of input 0.
  void set_output(const Shape4& shape);

 private:
  bool read(const char* attribute, OrtOpAttrType type, void* values, std::size_t bytes) const;

  const OrtApi& api_;
  OrtShapeInferContext* context_;
};

}  // namespace bdnet::ort
