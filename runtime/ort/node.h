#pragma once

#include <onnxruntime_c_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bdnet/status.h"

namespace bdnet::ort {

// "ai.bdnet.BinaryConv 'body.3/conv'": what every message about a node begins with.
class NodeLabel {
 public:
  NodeLabel(const char* op, const std::string& node)
      : text_("ai.bdnet." + std::string(op) + " '" + node + "'") {}

  // Throws InvalidInput with the label before the message.
  [[noreturn]] void fail(const std::string& message) const;
  void require(const Status& status) const {
    if (!status.ok()) fail(status.message());
  }

 private:
  std::string text_;
};

// A constant input: its memory belongs to the session and may be gone after the kernel's creation.
struct ConstantTensor {
  std::vector<std::int64_t> dims;
  const void* data;
};

// A node while its kernel is created. Everything throws InvalidInput or OrtFailure.
class Node {
 public:
  Node(const OrtApi& api, const OrtKernelInfo* info, const char* op);

  const NodeLabel& label() const noexcept { return label_; }
  void require(const Status& status) const { label_.require(status); }

  std::int64_t integer(const char* attribute) const;

  template <std::size_t N>
  std::array<std::int64_t, N> integers(const char* attribute) const {
    std::array<std::int64_t, N> values{};
    read_integers(attribute, values.data(), N);
    return values;
  }

  // Fails if the input is not of this type.
  void require_type(std::size_t input, const char* name, ONNXTensorElementDataType type) const;

  // Fails if the input is computed by the graph or given at run time.
  ConstantTensor constant(std::size_t input, const char* name) const;

 private:
  void read_integers(const char* attribute, std::int64_t* values, std::size_t count) const;

  const OrtApi& api_;
  const OrtKernelInfo* info_;
  NodeLabel label_;
};

// The dimensions of a tensor, -1 for those that are not known.
std::vector<std::int64_t> read_dims(const OrtApi& api, const OrtTensorTypeAndShapeInfo* info);
std::vector<std::int64_t> read_dims(const OrtApi& api, const OrtValue* value);

}  // namespace bdnet::ort
