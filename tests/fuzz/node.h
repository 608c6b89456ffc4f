#pragma once

#include <onnxruntime_c_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// One node of a graph and the tensor that it is run on: what a target makes of its bytes, and what
// the host hands to the adapter.
namespace bdnet::fuzz {

// Exactly as many bytes as there are, so that AddressSanitizer sees the first one beyond.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size), bytes_(new std::byte[size]) {}

  std::size_t size() const noexcept { return size_; }
  std::byte* data() const noexcept { return bytes_.get(); }

 private:
  std::size_t size_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
};

struct Attribute {
  enum class Type { kInteger, kIntegers, kFloat };

  std::string name;
  Type type = Type::kInteger;
  std::vector<std::int64_t> values;
};

struct Tensor {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  std::vector<std::int64_t> dims;
  Buffer bytes;  // none if they would be more than anything here has memory for
};

struct Constant {
  Tensor tensor;
  bool is_constant = true;  // or computed by the graph
};

// In which order the rows of a parallel loop are run.
enum class RowOrder { kForward, kBackward, kInterleaved };

struct Node {
  std::string op;
  std::vector<Attribute> attributes;
  // Input 0 as the graph declares it: -1 for what is not known.
  ONNXTensorElementDataType declared_type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  std::vector<std::int64_t> declared_dims;
  bool batch_has_name = false;
  Tensor x;
  std::vector<Constant> constants;  // inputs 1 and on
  RowOrder row_order = RowOrder::kForward;

  const Attribute* find(const std::string& name) const noexcept {
    const auto found = std::find_if(attributes.begin(), attributes.end(),
                                    [&](const Attribute& a) { return a.name == name; });
    return found == attributes.end() ? nullptr : &*found;
  }
};

// The number of elements, -1 if it is more than `limit` or a dimension is negative.
inline std::int64_t count_elements(const std::vector<std::int64_t>& dims, std::int64_t limit) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (dim < 0 || dim > limit / count) return -1;
    count *= dim;
  }
  return count;
}

}  // namespace bdnet::fuzz
