#include "random_node.h"

#include <array>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "faults.h"
#include "finding.h"
#include "reader.h"

namespace bdnet::fuzz {
namespace {

using Dims = std::vector<std::int64_t>;

// Around which bytes, words, vectors and tiles are full.
constexpr std::array<std::int64_t, 24> kCounts{1,  2,  3,  4,  5,  7,  8,  9,  12, 15,  16,  17,
                                               24, 31, 32, 33, 40, 48, 63, 64, 65, 127, 128, 130};

// Weights of signs that a node has at most, so that arranging them does not take all the time; what
// is more is left to the tests' grids of shapes.
constexpr std::int64_t kMostWeights = 1 << 12;

// So many filters, or fewer, of this many weights.
std::int64_t few(std::int64_t filters, std::int64_t weights) {
  while (filters > 1 && filters * weights > kMostWeights) filters = (filters + 1) / 2;
  return filters;
}

// Builds a sound node of one operator; tensors have no bytes yet.
class Builder {
 public:
  Builder(std::string op, Reader& reader) : reader_(reader) { node_.op = std::move(op); }

  Node build() {
    const std::string& op = node_.op;
    if (op == "BinaryConv") sign_conv(1);
    if (op == "TernaryConv") sign_conv(2);
    if (op == "BinaryLinear") sign_linear(1);
    if (op == "TernaryLinear") sign_linear(2);
    if (op == "OrderedConv") ordered_conv(false);
    if (op == "OrderedStem") ordered_conv(true);
    if (op == "OrderedAveragePool") average_pool();
    if (op == "SeparableBlock") separable_block();
    if (node_.attributes.empty()) finding(("has no target for " + op).c_str());
    return std::move(node_);
  }

 private:
  void integer(std::string name, std::int64_t value) {
    node_.attributes.push_back({std::move(name), Attribute::Type::kInteger, {value}});
  }
  void integers(std::string name, Dims values) {
    node_.attributes.push_back({std::move(name), Attribute::Type::kIntegers, std::move(values)});
  }

  void floats(Dims dims) {
    node_.constants.push_back({{ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, std::move(dims), {}}, true});
  }
  void packed(std::int64_t filters, std::int64_t bits, std::int64_t planes) {
    Dims dims{filters, (bits + 7) / 8};
    if (planes == 2) dims.insert(dims.begin(), 2);
    node_.constants.push_back({{ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, std::move(dims), {}}, true});
  }
  // A value for each channel, or one for all of them.
  void channel_constant(std::int64_t channels) { floats({reader_.pick(0, 7) == 0 ? 1 : channels}); }

  // [N, H, W, C], and the pair of the middle ones.
  void image(std::int64_t channels, bool planar = false) {
    const std::int64_t batch = reader_.pick(0, 15) == 0 ? 0 : reader_.pick(1, 2);
    const std::int64_t height = reader_.pick(1, 6);
    const std::int64_t width = reader_.pick(1, 9);
    node_.x.dims = {batch, height, width, channels};
    if (planar) node_.x.dims = {batch, channels, height, width};
  }

  Dims pair(std::int64_t low, std::int64_t high) {
    const std::int64_t first = reader_.pick(low, high);
    return {first, reader_.pick(low, high)};
  }

  // strides, pads, dilations. With `same` those pads that keep the size.
  void window(const Dims& kernel, bool same) {
    integers("strides", pair(1, 3));
    const Dims dilations = pair(1, 3);
    Dims pads = pair(0, 3);
    const Dims after = pair(0, 3);
    pads.insert(pads.end(), after.begin(), after.end());
    for (std::size_t i = 0; same && i < 4; ++i)
      pads[i] = dilations[i % 2] * (kernel[i % 2] - 1) / 2;
    integers("pads", std::move(pads));
    integers("dilations", dilations);
  }

  void sign_conv(std::int64_t planes) {
    const std::int64_t mode = reader_.pick(0, 3);
    std::int64_t group = reader_.pick(1, 4);
    std::int64_t channels = reader_.pick(kCounts);
    std::int64_t per_group = reader_.pick(kCounts);
    if (mode == 0) group = 1;
    if (mode == 1) {  // depth-wise, and several filters to a channel
      group = channels;
      channels = 1;
      per_group = reader_.pick(0, 3) == 0 ? 2 : 1;
    }
    const Dims kernel = pair(1, 4);
    per_group = few(per_group, group * kernel[0] * kernel[1] * channels);
    integers("kernel_shape", kernel);
    integer("channels", channels);
    window(kernel, false);
    integer("group", group);
    integer("pad_value", reader_.pick(-1, 1));
    integer("packing_version", 1);
    packed(group * per_group, kernel[0] * kernel[1] * channels, planes);
    image(group * channels);
  }

  void sign_linear(std::int64_t planes) {
    const std::int64_t channels = reader_.pick(kCounts) * reader_.pick(1, 3);
    const std::int64_t outputs = few(reader_.pick(kCounts) * reader_.pick(1, 2), channels);
    integer("channels", channels);
    integer("packing_version", 1);
    packed(outputs, channels, planes);
    for (std::int64_t rank = reader_.pick(0, 3); rank > 0; --rank) {
      node_.x.dims.push_back(reader_.pick(0, 15) == 0 ? 0 : reader_.pick(1, 5));
    }
    node_.x.dims.push_back(channels);
  }

  void ordered_conv(bool stem) {
    const Dims kernel = pair(1, 4);
    window(kernel, false);
    const std::int64_t channels = reader_.pick(0, 3) == 0 ? reader_.pick(kCounts) : 3;
    const std::int64_t filters = few(reader_.pick(kCounts), kernel[0] * kernel[1] * channels);
    floats({kernel[0], kernel[1], channels, filters});
    if (stem) channel_constant(filters);
    if (stem) channel_constant(filters);
    image(channels, stem);
  }

  void average_pool() {
    integers("kernel_shape", pair(1, 5));
    image(reader_.pick(kCounts));
  }

  void separable_block() {
    constexpr std::int64_t kConstants = 7;
    const std::int64_t channels = reader_.pick(kCounts) + 1;
    const std::int64_t repeated = few(reader_.pick(1, 3), channels * channels) * channels;
    const std::int64_t filters =
        reader_.pick(0, 1) == 0 ? repeated : few(reader_.pick(kCounts), channels);
    const bool same = reader_.pick(0, 3) > 0;
    Dims kernel = pair(1, 4);
    if (same) kernel = {kernel[0] | 1, kernel[1] | 1};
    integers("kernel_shape", kernel);
    window(kernel, same);
    integer("pad_value", reader_.pick(-1, 1));
    integer("channels", channels);
    for (const char* unit : {"depthwise", "pointwise"}) {
      integer(std::string(unit) + "_residual", reader_.pick(0, 2));
      integer(std::string(unit) + "_rectify", reader_.pick(0, 1));
    }
    integer("packing_version", 1);
    packed(channels, kernel[0] * kernel[1], reader_.pick(1, 2));
    for (std::int64_t i = 0; i < kConstants; ++i) channel_constant(channels);
    packed(filters, channels, reader_.pick(1, 2));
    for (std::int64_t i = 0; i < kConstants; ++i) channel_constant(i == 0 ? channels : filters);
    image(channels);
  }

  Reader& reader_;
  Node node_;
};

// What the graph says of the input's shape before it is run.
void declare(Reader& reader, Node* node) {
  node->declared_dims = node->x.dims;
  switch (reader.pick(0, 3)) {
    case 0:
      node->batch_has_name = true;
      if (!node->declared_dims.empty()) node->declared_dims[0] = -1;
      return;
    case 1:
      for (std::int64_t& dim : node->declared_dims) {
        if (reader.pick(0, 1) == 0) dim = -1;
      }
      return;
    default:
      return;
  }
}

// More than a tensor of a file can have here.
constexpr std::int64_t kMostElements = std::int64_t{1} << 18;

// `finite` numbers but for one, if `spoilt`.
void fill(Noise& noise, bool finite, bool spoilt, Tensor* tensor) {
  const bool is_float = tensor->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  const std::size_t size = tensor->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 ? 1
                           : is_float                                          ? sizeof(float)
                                                                               : 8;
  const auto count = static_cast<std::size_t>(count_elements(tensor->dims, kMostElements));
  tensor->bytes = Buffer(count * size);
  for (std::size_t i = 0; i < count; ++i) {
    const float number = finite ? noise.finite_float() : noise.any_float();
    const std::uint64_t bits = noise.next();
    std::byte* at = tensor->bytes.data() + i * size;
    std::memcpy(at, is_float ? static_cast<const void*>(&number) : &bits, size);
  }
  if (is_float && spoilt && count > 0) {
    const std::uint32_t infinity = 0x7f800000;
    std::memcpy(tensor->bytes.data() + noise.next() % count * size, &infinity, size);
  }
}

}  // namespace

Node read_node(const std::string& op, const std::uint8_t* data, std::size_t size) {
  Reader reader(data, size);
  Node node = Builder(op, reader).build();
  node.row_order = static_cast<RowOrder>(reader.pick(0, 2));
  declare(reader, &node);
  const bool spoilt = reader.pick(0, 15) == 15;
  add_faults(reader, &node);

  Noise noise(reader.seed());
  for (Constant& constant : node.constants) {
    // A file holds what its constants' shapes say, or is no file: what is too much is cut.
    for (std::int64_t& dim : constant.tensor.dims) {
      if (count_elements(constant.tensor.dims, kMostElements) < 0) dim = dim > 3 ? 3 : dim;
    }
    const bool finite = op == "SeparableBlock" || &constant != &node.constants.front();
    fill(noise, finite, spoilt, &constant.tensor);
  }
  if (count_elements(node.x.dims, kMostElements) >= 0) fill(noise, false, false, &node.x);
  return node;
}

}  // namespace bdnet::fuzz
