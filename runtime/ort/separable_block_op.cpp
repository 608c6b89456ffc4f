#include "separable_block_op.h"

#include <optional>
#include <string>

#include "bdnet/dispatch.h"
#include "constants.h"
#include "packed_weights.h"
#include "row_lanes.h"

namespace bdnet::ort {
namespace {

// The node's inputs; each weight is followed by its unit's constants.
constexpr std::size_t kDepthwiseWeight = 1;
constexpr std::size_t kPointwiseWeight = 9;

Residual read_residual(const Node& node, const char* attribute) {
  const std::int64_t value = node.integer(attribute);
  if (value < 0 || value > 2) {
    node.label().fail("attribute '" + std::string(attribute) + "' has the value " +
                      std::to_string(value) +
                      ", expected 0 (none), 1 (before the normalisation) or 2 (after it)");
  }
  return static_cast<Residual>(value);
}

bool read_flag(const Node& node, const char* attribute) {
  const std::int64_t value = node.integer(attribute);
  if (value != 0 && value != 1) {
    node.label().fail("attribute '" + std::string(attribute) + "' has the value " +
                      std::to_string(value) + ", expected 0 or 1");
  }
  return value == 1;
}

// Two planes if there is a dimension for them; load_packed_weights() checks the shape.
int planes_of(const std::vector<std::int64_t>& packed_dims) {
  return packed_dims.size() == 3 ? 2 : 1;
}

SeparableBlockAttributes read_attributes(const Node& node) {
  require_packing_version(node);
  SeparableBlockAttributes block;
  const std::int64_t channels = node.integer("channels");
  block.depthwise.kernel_shape = node.integers<2>("kernel_shape");
  block.depthwise.strides = node.integers<2>("strides");
  block.depthwise.pads = node.integers<4>("pads");
  block.depthwise.dilations = node.integers<2>("dilations");
  block.depthwise.pad_value = node.integer("pad_value");
  block.depthwise.group = channels;
  block.pointwise.channels = channels;
  block.depthwise_unit = {read_residual(node, "depthwise_residual"),
                          read_flag(node, "depthwise_rectify")};
  block.pointwise_unit = {read_residual(node, "pointwise_residual"),
                          read_flag(node, "pointwise_rectify")};
  return block;
}

std::optional<SeparableBlockAttributes> infer_attributes(const ShapeInference& inference) {
  const auto channels = inference.integer("channels");
  const auto kernel_shape = inference.integers<2>("kernel_shape");
  const auto strides = inference.integers<2>("strides");
  const auto pads = inference.integers<4>("pads");
  const auto dilations = inference.integers<2>("dilations");
  const std::vector<std::int64_t> packed = inference.input_dims(kPointwiseWeight);
  if (!channels || !kernel_shape || !strides || !pads || !dilations || packed.size() < 2) {
    return std::nullopt;
  }
  SeparableBlockAttributes block;
  block.depthwise.kernel_shape = *kernel_shape;
  block.depthwise.strides = *strides;
  block.depthwise.pads = *pads;
  block.depthwise.dilations = *dilations;
  block.depthwise.group = *channels;
  block.pointwise.channels = *channels;
  block.filters = packed[packed.size() - 2];
  return block;
}

UnitConstants pointers(const std::array<std::vector<float>, 7>& constants) noexcept {
  return {constants[0].data(), constants[1].data(), constants[2].data(), constants[3].data(),
          constants[4].data(), constants[5].data(), constants[6].data()};
}

// `first` is the input that holds the shift.
std::array<std::vector<float>, 7> load_constants(const Node& node, std::size_t first,
                                                 const char* unit, std::int64_t inputs,
                                                 std::int64_t outputs) {
  constexpr const char* kNames[] = {"shift",    "scale", "bn_mul",   "bn_add",
                                    "shift_in", "slope", "shift_out"};
  std::array<std::vector<float>, 7> constants;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const std::string name = std::string(unit) + "_" + kNames[i];
    constants[i] = load_channel_constant(node, first + i, name.c_str(), i == 0 ? inputs : outputs);
  }
  for (float& shift : constants[0]) shift = -shift;  // a threshold, see UnitConstants
  return constants;
}

}  // namespace

SeparableBlock::SeparableBlock(const OrtApi& api, const OrtKernelInfo* info, const Node& node)
    : api_(api), allocator_(api, info), label_(node.label()), attributes_(read_attributes(node)) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const char* depthwise_name = "the packed depth-wise weights";
  const char* pointwise_name = "the packed point-wise weights";
  node.require_type(kDepthwiseWeight, depthwise_name, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  node.require_type(kPointwiseWeight, pointwise_name, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  const ConstantTensor depthwise = node.constant(kDepthwiseWeight, depthwise_name);
  const ConstantTensor pointwise = node.constant(kPointwiseWeight, pointwise_name);
  attributes_.depthwise.planes = planes_of(depthwise.dims);
  attributes_.pointwise.planes = planes_of(pointwise.dims);

  const std::int64_t channels = attributes_.pointwise.channels;
  std::int64_t depthwise_filters = 0;
  label_.require(check_packed_shape(attributes_.depthwise, depthwise.dims, &depthwise_filters));
  if (depthwise_filters != channels) {
    label_.fail("the depth-wise weights have " + std::to_string(depthwise_filters) +
                " filters, expected one for each of the " + std::to_string(channels) + " channels");
  }
  label_.require(check_packed_shape(attributes_.pointwise, pointwise.dims, &attributes_.filters));
  label_.require(check_separable_block(attributes_));

  depthwise_weights_ =
      load_packed_weights(label_, depthwise, attributes_.depthwise, &depthwise_filters);
  pointwise_weights_ =
      load_packed_weights(label_, pointwise, attributes_.pointwise, &attributes_.filters);
  depthwise_constants_ =
      load_constants(node, kDepthwiseWeight + 1, "depthwise", channels, channels);
  pointwise_constants_ =
      load_constants(node, kPointwiseWeight + 1, "pointwise", channels, attributes_.filters);
}

SeparableBlockWeights SeparableBlock::weights() const noexcept {
  return {depthwise_weights_.data(), pointwise_weights_.data(), pointers(depthwise_constants_),
          pointers(pointwise_constants_)};
}

void SeparableBlock::compute(OrtKernelContext* context) const {
  RunContext run(api_, context);
  SeparableBlockGeometry geometry;
  label_.require(make_separable_block_geometry(attributes_, run.input_dims(0), &geometry));
  float* y = run.output(geometry.pointwise.output);
  if (geometry.depthwise.input[0] == 0) return;

  const Kernels& kernels = active_kernels();
  const SeparableBlockWeights block_weights = weights();
  const float* x = run.input(0);
  const std::int64_t rows = geometry.pointwise.output[0] * geometry.pointwise.output[1];
  const std::int64_t lane_bytes =
      round_to_cache_line(kernels.separable_block_scratch_bytes(geometry));
  const std::int64_t lane_count = RowLanes::useful_count(rows);
  const ScratchMemory scratch =
      allocator_.allocate(static_cast<std::size_t>(lane_count * lane_bytes));
  if (scratch.data() == nullptr) {
    label_.fail("the rows between the units take " + std::to_string(lane_count * lane_bytes) +
                " bytes, more than there is memory; use a smaller input");
  }
  RowLanes lanes(scratch.data(), lane_bytes, lane_count);
  run.for_each_row(rows, [&](std::int64_t row) noexcept {
    lanes.run(row, [&](std::byte* memory, bool resumes) noexcept {
      kernels.separable_block_rows(geometry, block_weights, x, y, memory, resumes, row, row + 1);
    });
  });
}

void SeparableBlock::infer_shape(ShapeInference& inference) {
  const std::optional<SeparableBlockAttributes> attributes = infer_attributes(inference);
  SeparableBlockGeometry geometry;
  if (attributes && check_separable_block(*attributes).ok() &&
      make_separable_block_geometry(*attributes, inference.input_dims(0), &geometry).ok()) {
    inference.set_output(geometry.pointwise.output);
  }
}

}  // namespace bdnet::ort
