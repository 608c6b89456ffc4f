#pragma once

#include <onnxruntime_c_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "bdnet/convolution.h"
#include "bdnet/status.h"

namespace bdnet::ort {

// The output's shape cannot be inferred and is left unknown.
class UnknownShape : public std::exception {};

// A node while ONNX Runtime infers the graph's shapes. Nothing here is an error: whatever is not
// known or wrong throws UnknownShape, and the kernel's creation says what is wrong with the node.
class ShapeInference {
 public:
  ShapeInference(const OrtApi& api, OrtShapeInferContext* context) : api_(api), context_(context) {}

  std::int64_t integer(const char* attribute) const;

  template <std::size_t N>
  std::array<std::int64_t, N> integers(const char* attribute) const {
    std::array<std::int64_t, N> values{};
    read(attribute, ORT_OP_ATTR_INTS, values.data(), sizeof(values));
    return values;
  }

  void require(const Status& status) const {
    if (!status.ok()) throw UnknownShape();
  }

  // The dimensions of an input, all of which must be known. A batch with a name counts as known: it
  // is given as 0, and set_output() puts its name into the output.
  std::vector<std::int64_t> input_dims(std::size_t index) const;

  // Gives output 0 this shape, with the batch of input 0.
  void set_output(const Shape4& shape) { set_output({shape.begin(), shape.end()}); }
  void set_output(std::vector<std::int64_t> dims);

 private:
  void read(const char* attribute, OrtOpAttrType type, void* values, std::size_t bytes) const;

  const OrtApi& api_;
  OrtShapeInferContext* context_;
};

}  // namespace bdnet::ort
