#include "faults.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bdnet::fuzz {
namespace {

constexpr std::array kTypes{
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,     ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,    ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING};

ONNXTensorElementDataType pick_type(Reader& reader) {
  return kTypes[static_cast<std::size_t>(reader.byte()) % kTypes.size()];
}

void spoil_attribute(Reader& reader, Node* node) {
  if (node->attributes.empty()) return;
  const auto index = static_cast<std::size_t>(reader.byte()) % node->attributes.size();
  Attribute& attribute = node->attributes[index];
  switch (reader.pick(0, 7)) {
    case 0:
      node->attributes.erase(node->attributes.begin() + static_cast<std::ptrdiff_t>(index));
      return;
    case 1:
      attribute.type = Attribute::Type::kFloat;
      return;
    case 2:
      attribute.type = attribute.type == Attribute::Type::kInteger ? Attribute::Type::kIntegers
                                                                   : Attribute::Type::kInteger;
      return;
    case 3:
      if (attribute.type != Attribute::Type::kIntegers) return;
      attribute.values.resize(static_cast<std::size_t>(reader.pick(0, 5)));
      return;
    default:
      if (attribute.values.empty()) return;
      attribute.values[static_cast<std::size_t>(reader.byte()) % attribute.values.size()] =
          reader.any();
  }
}

void spoil_dims(Reader& reader, std::int64_t lowest, std::vector<std::int64_t>* dims) {
  switch (reader.pick(0, 4)) {
    case 0:
      dims->insert(dims->begin(), reader.pick(0, 2));
      return;
    case 1:
      if (!dims->empty()) dims->pop_back();
      return;
    default:
      if (dims->empty()) return;
      std::int64_t value = reader.any();
      if (value < lowest) value = lowest;
      (*dims)[static_cast<std::size_t>(reader.byte()) % dims->size()] = value;
  }
}

void spoil_constant(Reader& reader, Node* node) {
  if (node->constants.empty()) return;
  Constant& constant =
      node->constants[static_cast<std::size_t>(reader.byte()) % node->constants.size()];
  switch (reader.pick(0, 3)) {
    case 0:
      constant.tensor.type = pick_type(reader);
      return;
    case 1:
      constant.is_constant = false;
      return;
    default:
      spoil_dims(reader, 0, &constant.tensor.dims);
  }
}

}  // namespace

void add_faults(Reader& reader, Node* node) {
  for (std::int64_t left = reader.pick(0, 7) - 4; left > 0; --left) {
    switch (reader.pick(0, 7)) {
      case 0:
        node->declared_type = pick_type(reader);
        break;
      case 1:
        spoil_dims(reader, -1, &node->declared_dims);
        break;
      case 2:
        spoil_dims(reader, 0, &node->x.dims);
        break;
      case 3:
      case 4:
        spoil_constant(reader, node);
        break;
      default:
        spoil_attribute(reader, node);
    }
  }
}

}  // namespace bdnet::fuzz
