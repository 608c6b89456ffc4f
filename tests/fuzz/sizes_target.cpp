#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "bdnet/dispatch.h"
#include "finding.h"
#include "reader.h"
#include "row_lanes.h"

// Sizes of memory, for whatever attributes and shapes the checks accept: none overflows (UBSan sees
// that), and none is less than the least that what lies there can take.
namespace bdnet::fuzz {
namespace {

using Dims = std::vector<std::int64_t>;
__extension__ using Wide = __int128;

// A file holds its weights, so there are no more bytes of them than this.
constexpr std::int64_t kMostWeightBytes = std::int64_t{1} << 50;

void check_size(std::int64_t size, Wide least) {
  if (size < least) finding("takes less memory than what it puts there");
}

// The least that signs can take: a bit each.
Wide sign_bytes(Wide count) { return (count + 7) / 8; }

bool in_a_file(Wide weights) { return (weights + 7) / 8 <= kMostWeightBytes; }

template <std::size_t N>
std::array<std::int64_t, N> any_numbers(Reader& reader) {
  std::array<std::int64_t, N> numbers{};
  // One of two: numbers that are accepted are small ones, but for a few.
  for (std::int64_t& number : numbers) {
    number = reader.pick(0, 1) == 0 ? reader.pick(1, 4) : reader.any();
  }
  return numbers;
}

ConvAttributes any_conv(Reader& reader) {
  ConvAttributes attributes;
  attributes.kernel_shape = any_numbers<2>(reader);
  attributes.strides = any_numbers<2>(reader);
  attributes.pads = any_numbers<4>(reader);
  attributes.dilations = any_numbers<2>(reader);
  attributes.channels = any_numbers<1>(reader)[0];
  attributes.group = any_numbers<1>(reader)[0];
  attributes.pad_value = reader.pick(-1, 1);
  attributes.planes = static_cast<int>(reader.pick(1, 2));
  return attributes;
}

Dims any_dims(Reader& reader) {
  const std::array<std::int64_t, 4> dims = any_numbers<4>(reader);
  return {dims.begin(), dims.end()};
}

Wide product(const Shape4& shape) { return Wide{shape[0]} * shape[1] * shape[2] * shape[3]; }

void check_conv(const Kernels& kernels, const ConvGeometry& geometry) {
  const ConvAttributes& a = geometry.attributes;
  const Wide weights = Wide{geometry.filters} * a.filter_size();
  if (in_a_file(weights)) {
    check_size(kernels.tiled_bytes(a, geometry.filters), sign_bytes(weights * a.planes));
  }
  const Wide padded =
      Wide{geometry.input[0]} * geometry.padded[0] * geometry.padded[1] * geometry.input[3];
  check_size(kernels.sign_bytes(geometry), sign_bytes(padded));
}

void convolution(Reader& reader) {
  ConvAttributes attributes = any_conv(reader);
  const std::int64_t filters =
      reader.pick(0, 1) == 0 ? any_numbers<1>(reader)[0] : attributes.group;
  Dims dims = any_dims(reader);
  if (!check_attributes(attributes, filters).ok()) return;
  dims[3] = attributes.group * attributes.channels;
  ConvGeometry geometry;
  if (!make_conv_geometry(attributes, filters, dims, &geometry).ok()) return;
  if (product(geometry.output) > Wide{std::numeric_limits<std::int64_t>::max()} / 4) {
    finding("accepts an output that cannot be addressed");
  }
  for (const Kernels* kernels : available_kernels()) check_conv(*kernels, geometry);
}

void block(Reader& reader) {
  SeparableBlockAttributes attributes;
  attributes.depthwise = any_conv(reader);
  attributes.pointwise.channels = any_numbers<1>(reader)[0];
  attributes.pointwise.planes = static_cast<int>(reader.pick(1, 2));
  attributes.depthwise.group = attributes.pointwise.channels;
  attributes.depthwise.channels = 1;
  attributes.filters = any_numbers<1>(reader)[0];
  attributes.depthwise_unit.residual = static_cast<Residual>(reader.pick(0, 2));
  attributes.pointwise_unit.residual = static_cast<Residual>(reader.pick(0, 2));
  Dims dims = any_dims(reader);
  if (!check_separable_block(attributes).ok()) return;
  dims[3] = attributes.pointwise.channels;
  SeparableBlockGeometry geometry;
  if (!make_separable_block_geometry(attributes, dims, &geometry).ok()) return;
  const std::int64_t lanes = reader.pick(1, 255);
  for (const Kernels* kernels : available_kernels()) {
    const std::int64_t scratch = kernels->separable_block_scratch_bytes(geometry);
    check_size(scratch, Wide{geometry.depthwise.filters});  // a pixel between the units, as bytes
    const std::int64_t all = ort::RowLanes::bytes(scratch, lanes);
    check_size(all,
               std::min(Wide{scratch} * lanes, Wide{std::numeric_limits<std::int64_t>::max()}));
  }
}

void linear(Reader& reader) {
  const std::array<std::int64_t, 2> sizes = any_numbers<2>(reader);
  const int planes = static_cast<int>(reader.pick(1, 2));
  Dims packed{sizes[1], packed_bytes(std::max<std::int64_t>(sizes[0], 0))};
  if (planes == 2) packed.insert(packed.begin(), 2);
  SignLinear layer;
  if (!make_sign_linear(sizes[0], planes, packed, &layer).ok()) return;
  Dims dims = any_dims(reader);
  for (std::int64_t& dim : dims) dim = std::max<std::int64_t>(dim, 0);
  dims[3] = sizes[0];
  std::int64_t rows = -1;
  if (!count_linear_rows(layer, dims, &rows).ok()) return;
  const bool empty = dims[0] == 0 || dims[1] == 0 || dims[2] == 0;
  if (rows != (empty ? Wide{0} : Wide{dims[0]} * dims[1] * dims[2])) finding("counts other rows");
  for (const Kernels* kernels : available_kernels()) {
    const Wide weights = Wide{layer.outputs} * layer.inputs;
    if (in_a_file(weights)) {
      check_size(kernels->linear_weight_bytes(layer), sign_bytes(weights * planes));
    }
    // The input is there as floats, so this many there are.
    if (Wide{rows} * layer.inputs <= std::numeric_limits<std::int64_t>::max() / 4) {
      check_size(kernels->linear_sign_bytes(layer, rows), sign_bytes(Wide{rows} * layer.inputs));
    }
  }
}

void pool(Reader& reader) {
  const std::array<std::int64_t, 2> kernel = any_numbers<2>(reader);
  PoolGeometry geometry;
  if (!check_pool_kernel(kernel).ok()) return;
  if (!make_pool_geometry(kernel, any_dims(reader), &geometry).ok()) return;
  if (product(geometry.output) > product(geometry.input)) finding("makes more of a pool's input");
}

}  // namespace
}  // namespace bdnet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bdnet::fuzz::Reader reader(data, size);
  switch (reader.pick(0, 3)) {
    case 0:
      bdnet::fuzz::convolution(reader);
      break;
    case 1:
      bdnet::fuzz::block(reader);
      break;
    case 2:
      bdnet::fuzz::linear(reader);
      break;
    default:
      bdnet::fuzz::pool(reader);
  }
  return 0;
}
