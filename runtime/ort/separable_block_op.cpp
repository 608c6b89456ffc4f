#include "separable_block_op.h"

#include <string>
#include <vector>

#include "bdnet/dispatch.h"
#include "constants.h"
#include "conv_attributes.h"
#include "packed_weights.h"
#include "row_lanes.h"

namespace bdnet::ort {
namespace {

// The node's inputs; each weight is followed by its unit's constants.
constexpr std::size_t kDepthwiseWeight = 1;
constexpr std::size_t kPointwiseWeight = 9;

// Fails unless an attribute is one of the `count` values that have a meaning.
Status check_choice(const std::string& attribute, std::int64_t value, std::int64_t count,
                    const char* meanings) {
  if (value >= 0 && value < count) return Status();
  return Status::failure("attribute '" + attribute + "' has the value " + std::to_string(value) +
                         ", expected " + meanings);
}

template <typename Source>
UnitAttributes read_unit(const Source& source, const std::string& unit) {
  const std::string residual_name = unit + "_residual";
  const std::int64_t residual = source.integer(residual_name.c_str());
  source.require(check_choice(residual_name, residual, 3,
                              "0 (none), 1 (before the normalisation) or 2 (after it)"));
  const std::string rectify_name = unit + "_rectify";
  const std::int64_t rectify = source.integer(rectify_name.c_str());
  source.require(check_choice(rectify_name, rectify, 2, "0 (slope) or 1 (ReLU)"));
  return {static_cast<Residual>(residual), rectify == 1};
}

// Which of a block's two units a message is about.
Status of_unit(const char* unit, const Status& status) {
  return status.ok() ? status
                     : Status::failure("the " + std::string(unit) + " unit: " + status.message());
}

// Whether packed weights are binary or ternary is what their rank says, so it comes before all that
// check_packed_shape() looks at.
Status check_packed_rank(std::size_t rank) {
  if (rank == 2 || rank == 3) return Status();
  return Status::failure("the packed weights have rank " + std::to_string(rank) +
                         ", expected 2 (filters, bytes) or 3 (2 bit planes, filters, bytes)");
}

template <typename Source>
SeparableBlockAttributes read_attributes(const Source& source,
                                         const std::vector<std::int64_t>& depthwise_dims,
                                         const std::vector<std::int64_t>& pointwise_dims) {
  source.require(of_unit("depth-wise", check_packed_rank(depthwise_dims.size())));
  source.require(of_unit("point-wise", check_packed_rank(pointwise_dims.size())));
  SeparableBlockAttributes block;
  block.depthwise = read_sign_conv_attributes(source);
  block.pointwise.channels = source.integer("channels");
  block.depthwise.group = block.pointwise.channels;
  block.depthwise.planes = depthwise_dims.size() == 3 ? 2 : 1;
  block.pointwise.planes = pointwise_dims.size() == 3 ? 2 : 1;
  block.filters = pointwise_dims[pointwise_dims.size() - 2];
  block.depthwise_unit = read_unit(source, "depthwise");
  block.pointwise_unit = read_unit(source, "pointwise");
  source.require(check_separable_block(block));

  std::int64_t filters = 0;
  source.require(
      of_unit("point-wise", check_packed_shape(block.pointwise, pointwise_dims, &filters)));
  source.require(
      of_unit("depth-wise", check_packed_shape(block.depthwise, depthwise_dims, &filters)));
  if (filters != block.depthwise.group) {
    source.require(of_unit("depth-wise",
                           Status::failure("the packed weights have " + std::to_string(filters) +
                                           " filters, expected one for each of the " +
                                           std::to_string(block.depthwise.group) + " channels")));
  }
  return block;
}

ConstantTensor packed_weights(const Node& node, std::size_t input, const char* name) {
  node.require_type(input, name, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  return node.constant(input, name);
}

UnitConstants pointers(const UnitVectors& constants) noexcept {
  return {constants[0].data(), constants[1].data(), constants[2].data(), constants[3].data(),
          constants[4].data(), constants[5].data(), constants[6].data()};
}

// `first` is the input that holds the shift.
UnitVectors load_constants(const Node& node, std::size_t first, const char* unit,
                           std::int64_t inputs, std::int64_t outputs) {
  constexpr const char* kNames[] = {"shift",    "scale", "bn_mul",   "bn_add",
                                    "shift_in", "slope", "shift_out"};
  UnitVectors constants;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const std::string name = std::string(unit) + "_" + kNames[i];
    constants[i] = load_channel_constant(node, first + i, name.c_str(), i == 0 ? inputs : outputs);
  }
  for (float& shift : constants[0]) shift = -shift;  // a threshold, see UnitConstants
  return constants;
}

}  // namespace

SeparableBlock::SeparableBlock(const OrtApi& api, const OrtKernelInfo* info, const Node& node)
    : api_(api), allocator_(api, info), label_(node.label()) {
  node.require_type(0, "the input", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const ConstantTensor depthwise =
      packed_weights(node, kDepthwiseWeight, "the packed depth-wise weights");
  const ConstantTensor pointwise =
      packed_weights(node, kPointwiseWeight, "the packed point-wise weights");
  attributes_ = read_attributes(node, depthwise.dims, pointwise.dims);

  const std::int64_t channels = attributes_.pointwise.channels;
  const std::int64_t filters = attributes_.filters;
  depthwise_weights_ = load_packed_weights(depthwise, attributes_.depthwise, channels);
  pointwise_weights_ = load_packed_weights(pointwise, attributes_.pointwise, filters);
  depthwise_constants_ =
      load_constants(node, kDepthwiseWeight + 1, "depthwise", channels, channels);
  pointwise_constants_ = load_constants(node, kPointwiseWeight + 1, "pointwise", channels, filters);
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
  const std::int64_t scratch_bytes = kernels.separable_block_scratch_bytes(geometry);
  const std::int64_t lane_count = RowLanes::useful_count(rows);
  const ScratchMemory scratch = allocator_.allocate(RowLanes::bytes(scratch_bytes, lane_count),
                                                    label_, "the rows between the units");
  RowLanes lanes(scratch.data(), scratch_bytes, lane_count);
  run.for_each_row(rows, [&](std::int64_t row) noexcept {
    lanes.run(row, [&](std::byte* memory, bool resumes) noexcept {
      kernels.separable_block_rows(geometry, block_weights, x, y, memory, resumes, row, row + 1);
    });
  });
}

void SeparableBlock::infer_shape(ShapeInference& inference) {
  const SeparableBlockAttributes attributes = read_attributes(
      inference, inference.input_dims(kDepthwiseWeight), inference.input_dims(kPointwiseWeight));
  SeparableBlockGeometry geometry;
  inference.require(make_separable_block_geometry(attributes, inference.input_dims(0), &geometry));
  inference.set_output(geometry.pointwise.output);
}

}  // namespace bdnet::ort
