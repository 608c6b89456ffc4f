#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "bdnet/kernels.h"
#include "checks.h"
#include "inner_loops.h"
#include "vector_linear.h"
#include "words.h"

// The kernels of every instruction set but the reference: how signs and weights are arranged, which
// rows and tiles there are, and which inner loop does what. See inner_loops.h.
namespace bdnet {
namespace {

enum class Method { kDepthwise, kDense, kReference };

// With fewer filters to a group than this, most of a tile of filters would be idle.
constexpr std::int64_t kFewestFilters = 8;

// Depth-wise kernels with more rows than this are left to the reference.
constexpr std::int64_t kMostKernelRows = kMostBlockTaps;

constexpr std::int64_t kCacheLine = 64;

Method method_of(const ConvAttributes& attributes, std::int64_t filter_count) noexcept {
  const std::int64_t filters_per_group = filter_count / attributes.group;
  if (attributes.channels == 1 && filters_per_group == 1) {
    return attributes.kernel_shape[0] <= kMostKernelRows ? Method::kDepthwise : Method::kReference;
  }
  if (attributes.group == 1 || filters_per_group >= kFewestFilters) return Method::kDense;
  return Method::kReference;
}

// Bytes of one tap of a tile of filters.
std::int64_t tap_bytes(const InnerLoops& loops, const ConvAttributes& attributes) noexcept {
  return attributes.planes * words_of(loops, attributes.channels) * loops.filter_tile *
         loops.word_bytes;
}

// Bytes of one group's filters: [tiles, taps, planes, words, filter tile, word bytes].
std::int64_t group_tiled_bytes(const InnerLoops& loops, const ConvAttributes& attributes,
                               std::int64_t filter_count) noexcept {
  const std::int64_t tiles =
      round_up(filter_count / attributes.group, loops.filter_tile) / loops.filter_tile;
  return tiles * attributes.kernel_shape[0] * attributes.kernel_shape[1] *
         tap_bytes(loops, attributes);
}

std::int64_t tiled_bytes(const InnerLoops& loops, const ConvAttributes& attributes,
                         std::int64_t filter_count) noexcept {
  switch (method_of(attributes, filter_count)) {
    case Method::kDepthwise:
      return attributes.filter_size() * round_up(filter_count, loops.channel_tile);
    case Method::kDense:
      return attributes.group * group_tiled_bytes(loops, attributes, filter_count);
    case Method::kReference:
      break;
  }
  return reference_kernels().tiled_bytes(attributes, filter_count);
}

// Channels innermost, as in the activations: [taps, channels rounded up].
void tile_depthwise(const InnerLoops& loops, const ConvAttributes& attributes,
                    std::int64_t filter_count, const Sign* filters, std::byte* tiled) noexcept {
  const std::int64_t step = round_up(filter_count, loops.channel_tile);
  auto* bytes = reinterpret_cast<std::int8_t*>(tiled);
  std::fill_n(bytes, attributes.filter_size() * step, std::int8_t{0});
  for (std::int64_t m = 0; m < filter_count; ++m) {
    for (std::int64_t tap = 0; tap < attributes.filter_size(); ++tap) {
      bytes[tap * step + m] = static_cast<std::int8_t>(*filters++);
    }
  }
}

void tile_dense(const InnerLoops& loops, const ConvAttributes& attributes,
                std::int64_t filter_count, const Sign* filters, std::byte* tiled) noexcept {
  const std::int64_t filters_per_group = filter_count / attributes.group;
  const std::int64_t group_bytes = group_tiled_bytes(loops, attributes, filter_count);
  const std::int64_t words = words_of(loops, attributes.channels);
  const std::int64_t word_step = loops.filter_tile * loops.word_bytes;
  const std::int64_t taps = attributes.kernel_shape[0] * attributes.kernel_shape[1];
  std::fill_n(tiled, attributes.group * group_bytes, std::byte{0});
  for (std::int64_t filter = 0; filter < filter_count; ++filter) {
    const std::int64_t m = filter % filters_per_group;
    std::byte* out = tiled + filter / filters_per_group * group_bytes +
                     m / loops.filter_tile * taps * tap_bytes(loops, attributes) +
                     m % loops.filter_tile * loops.word_bytes;
    for (std::int64_t tap = 0; tap < taps; ++tap, filters += attributes.channels) {
      for (int plane = 0; plane < attributes.planes; ++plane, out += words * word_step) {
        for (std::int64_t c = 0; c < attributes.channels; ++c) {
          if (!bit_in_plane(filters[c], plane > 0)) continue;
          const std::int64_t bit = c % loops.word_channels;
          out[c / loops.word_channels * word_step + bit / 8] |= std::byte{1} << (bit % 8);
        }
      }
    }
  }
}

void tile_sign_filters(const InnerLoops& loops, const ConvAttributes& attributes,
                       std::int64_t filter_count, const Sign* filters, std::byte* tiled) noexcept {
  switch (method_of(attributes, filter_count)) {
    case Method::kDepthwise:
      return tile_depthwise(loops, attributes, filter_count, filters, tiled);
    case Method::kDense:
      return tile_dense(loops, attributes, filter_count, filters, tiled);
    case Method::kReference:
      return reference_kernels().tile_sign_filters(attributes, filter_count, filters, tiled);
  }
}

std::int64_t sign_bytes(const InnerLoops& loops, const ConvGeometry& geometry) noexcept {
  switch (method_of(geometry.attributes, geometry.filters)) {
    case Method::kDepthwise:
      return geometry.padded_count() + loops.channel_tile;
    case Method::kDense:
      return geometry.padded_count() / geometry.attributes.channels *
             code_bytes(loops, geometry.attributes.channels);
    case Method::kReference:
      break;
  }
  return reference_kernels().sign_bytes(geometry);
}

// `pixels` pixels of padding; what padding of 0 is encoded as does not matter, see tap_window().
std::uint8_t* fill_padding_codes(const InnerLoops& loops, const ConvGeometry& geometry,
                                 std::int64_t pixels, std::uint8_t* codes) noexcept {
  constexpr std::int64_t kStep = 128;  // whole words of every instruction set
  float padding[kStep];
  std::fill_n(padding, kStep, static_cast<float>(geometry.attributes.pad_value));
  for (std::int64_t i = 0; i < pixels * geometry.attributes.group; ++i) {
    for (std::int64_t c = 0; c < geometry.attributes.channels; c += kStep) {
      const std::int64_t count = std::min(kStep, geometry.attributes.channels - c);
      loops.encode_signs(padding, count, codes);
      codes += code_bytes(loops, count);
    }
  }
  return codes;
}

void encode_row(const InnerLoops& loops, const ConvGeometry& geometry, const float* x,
                std::uint8_t* codes) noexcept {
  const std::int64_t width = geometry.input[2];
  const std::int64_t channels = geometry.attributes.channels;
  if (channels % std::max<std::int64_t>(8, loops.word_channels) ==
      0) {  // no word holds parts of two groups
    loops.encode_signs(x, width * geometry.input[3], codes);
    return;
  }
  for (std::int64_t i = 0; i < width * geometry.attributes.group; ++i) {
    loops.encode_signs(x + i * channels, channels, codes + i * code_bytes(loops, channels));
  }
}

void binarise_dense_row(const InnerLoops& loops, const ConvGeometry& geometry, const float* x,
                        std::uint8_t* codes) noexcept {
  const auto [top, left, bottom, right] = geometry.attributes.pads;
  if (x == nullptr) {
    fill_padding_codes(loops, geometry, geometry.padded[1], codes);
    return;
  }
  codes = fill_padding_codes(loops, geometry, left, codes);
  encode_row(loops, geometry, x, codes);
  codes += geometry.input[2] * geometry.attributes.group *
           code_bytes(loops, geometry.attributes.channels);
  fill_padding_codes(loops, geometry, right, codes);
}

// One row of the padded input as signs; a null x is a row of padding.
void binarise_depthwise_row(const InnerLoops& loops, const ConvGeometry& geometry, const float* x,
                            const float* threshold, std::int8_t* signs) noexcept {
  const auto [top, left, bottom, right] = geometry.attributes.pads;
  const auto padding = static_cast<std::int8_t>(geometry.attributes.pad_value);
  const std::int64_t channels = geometry.input[3];
  if (x == nullptr) {
    std::fill_n(signs, geometry.padded[1] * channels, padding);
    return;
  }
  signs = std::fill_n(signs, left * channels, padding);
  loops.binarise(x, threshold, geometry.input[2], channels, signs);
  std::fill_n(signs + geometry.input[2] * channels, right * channels, padding);
}

// The row of the input that is row `padded_row` of the padded one, null in the padding.
const float* input_row(const ConvGeometry& geometry, const float* x, std::int64_t image,
                       std::int64_t padded_row) noexcept {
  const std::int64_t iy = padded_row - geometry.attributes.pads[0];
  if (iy < 0 || iy >= geometry.input[1]) return nullptr;
  return x + (image * geometry.input[1] + iy) * geometry.input[2] * geometry.input[3];
}

void binarise_rows(const InnerLoops& loops, const ConvGeometry& geometry, const float* x,
                   std::byte* signs, std::int64_t begin, std::int64_t end) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const Method method = method_of(a, geometry.filters);
  if (method == Method::kReference) {
    return reference_kernels().binarise_rows(geometry, x, signs, begin, end);
  }
  for (std::int64_t row = begin; row < end; ++row) {
    const float* in = input_row(geometry, x, row / geometry.padded[0], row % geometry.padded[0]);
    if (method == Method::kDense) {
      const std::int64_t row_bytes = geometry.padded[1] * a.group * code_bytes(loops, a.channels);
      binarise_dense_row(loops, geometry, in,
                         reinterpret_cast<std::uint8_t*>(signs) + row * row_bytes);
    } else {
      binarise_depthwise_row(
          loops, geometry, in, nullptr,
          reinterpret_cast<std::int8_t*>(signs) + row * geometry.padded[1] * geometry.input[3]);
    }
  }
}

struct Window {
  std::int64_t begin;
  std::int64_t end;
  bool operator==(const Window& other) const noexcept {
    return begin == other.begin && end == other.end;
  }
};

// The taps along one axis that count: with padding of 0 those inside the input, else all.
Window tap_window(const ConvGeometry& geometry, std::size_t axis, std::int64_t at) noexcept {
  const ConvAttributes& a = geometry.attributes;
  if (a.pad_value != 0) return {0, a.kernel_shape[axis]};
  const std::int64_t first = at * a.strides[axis] - a.pads[axis];
  const std::int64_t size = geometry.input[axis + 1];
  const std::int64_t step = a.dilations[axis];
  const std::int64_t begin = first < 0 ? (-first + step - 1) / step : 0;
  const std::int64_t end = first < size ? (size - 1 - first) / step + 1 : 0;
  return {std::min(begin, a.kernel_shape[axis]),
          std::max(std::min(end, a.kernel_shape[axis]), std::min(begin, a.kernel_shape[axis]))};
}

// `signs` is the row that the first tap of output row `oy` reads.
void dense_row(const InnerLoops& loops, const ConvGeometry& geometry, std::int64_t oy,
               const std::byte* signs, const std::byte* tiled, float* y) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const std::int64_t group_bytes = code_bytes(loops, a.channels);
  const std::int64_t pixel_bytes = a.group * group_bytes;
  const std::int64_t tiled_size = group_tiled_bytes(loops, a, geometry.filters);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(signs);
  const Window rows = tap_window(geometry, 0, oy);

  DenseTile tile{};
  tile.kernel_height = rows.end - rows.begin;
  tile.row_step = a.dilations[0] * geometry.padded[1] * pixel_bytes;
  tile.column_step = a.dilations[1] * pixel_bytes;
  tile.words = words_of(loops, a.channels);
  tile.planes = a.planes;
  tile.filter_row_step = a.kernel_shape[1] * tap_bytes(loops, a);
  tile.filter_tile_step = a.kernel_shape[0] * tile.filter_row_step;
  tile.filter_count = geometry.filters / a.group;
  tile.y_step = geometry.filters;
  codes += rows.begin * tile.row_step;
  const auto* filters =
      reinterpret_cast<const std::uint8_t*>(tiled) + rows.begin * tile.filter_row_step;

  for (std::int64_t ox = 0; ox < geometry.output[2]; ox += tile.pixels) {
    const Window columns = tap_window(geometry, 1, ox);
    tile.pixels = 1;  // and those beside it whose taps are the same
    while (tile.pixels < std::min(kPixelTile, geometry.output[2] - ox) &&
           tap_window(geometry, 1, ox + tile.pixels) == columns) {
      ++tile.pixels;
    }
    tile.kernel_width = columns.end - columns.begin;
    tile.terms = tile.kernel_height * tile.kernel_width * a.channels;
    for (std::int64_t group = 0; group < a.group; ++group) {
      for (std::int64_t p = 0; p < tile.pixels; ++p) {
        tile.codes[p] = codes + (ox + p) * a.strides[1] * pixel_bytes +
                        columns.begin * tile.column_step + group * group_bytes;
      }
      tile.filters = filters + columns.begin * tap_bytes(loops, a) + group * tiled_size;
      tile.y = y + ox * geometry.filters + group * tile.filter_count;
      loops.dense_tile(tile);
    }
  }
}

DepthwiseRow make_depthwise_row(const InnerLoops& loops, const ConvGeometry& geometry,
                                const std::byte* tiled, const std::int8_t* const* rows) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const std::int64_t channels = geometry.input[3];
  DepthwiseRow row{};
  row.rows = rows;
  row.kernel_height = a.kernel_shape[0];
  row.kernel_width = a.kernel_shape[1];
  row.column_step = a.dilations[1] * channels;
  row.pixel_step = a.strides[1] * channels;
  row.filters = reinterpret_cast<const std::int8_t*>(tiled);
  row.filter_step = round_up(channels, loops.channel_tile);
  row.channels = channels;
  row.width = geometry.output[2];
  return row;
}

void sign_conv_rows(const InnerLoops& loops, const ConvGeometry& geometry, const std::byte* signs,
                    const std::byte* tiled, float* y, std::int64_t begin,
                    std::int64_t end) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const Method method = method_of(a, geometry.filters);
  if (method == Method::kReference) {
    return reference_kernels().sign_conv_rows(geometry, signs, tiled, y, begin, end);
  }
  const std::int64_t pixel_bytes =
      method == Method::kDense ? a.group * code_bytes(loops, a.channels) : geometry.input[3];
  const std::int64_t row_bytes = geometry.padded[1] * pixel_bytes;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.output[1];
    const std::int64_t oy = row % geometry.output[1];
    const std::byte* in = signs + (image * geometry.padded[0] + oy * a.strides[0]) * row_bytes;
    float* out = y + row * geometry.output[2] * geometry.output[3];
    if (method == Method::kDense) {
      dense_row(loops, geometry, oy, in, tiled, out);
      continue;
    }
    const std::int8_t* rows[kMostKernelRows];
    for (std::int64_t ky = 0; ky < a.kernel_shape[0]; ++ky) {
      rows[ky] = reinterpret_cast<const std::int8_t*>(in) + ky * a.dilations[0] * row_bytes;
    }
    loops.depthwise_row(make_depthwise_row(loops, geometry, tiled, rows), out);
  }
}

// Of images [N, H, W, C], or [N, C, H, W] if `planar`.
OrderedRow make_ordered_row(const ConvGeometry& geometry, const float* weight,
                            bool planar) noexcept {
  const ConvAttributes& a = geometry.attributes;
  OrderedRow row{};
  row.height = geometry.input[1];
  row.width = geometry.input[2];
  row.channels = geometry.input[3];
  row.row_step = planar ? row.width : row.width * row.channels;
  row.column_step = planar ? 1 : row.channels;
  row.channel_step = planar ? row.height * row.width : 1;
  row.left = -a.pads[1];
  row.stride = a.strides[1];
  row.dilation_y = a.dilations[0];
  row.dilation_x = a.dilations[1];
  row.kernel_height = a.kernel_shape[0];
  row.kernel_width = a.kernel_shape[1];
  row.weight = weight;
  row.filters = geometry.filters;
  row.output_width = geometry.output[2];
  return row;
}

void run_ordered_rows(const InnerLoops& loops, const ConvGeometry& geometry, OrderedRow row,
                      const float* x, float* y, std::int64_t begin, std::int64_t end) noexcept {
  for (std::int64_t index = begin; index < end; ++index) {
    row.image = x + index / geometry.output[1] * row.height * row.width * row.channels;
    row.top =
        index % geometry.output[1] * geometry.attributes.strides[0] - geometry.attributes.pads[0];
    row.y = y + index * row.output_width * row.filters;
    row.next_top =
        std::max<std::int64_t>(0, row.top + (row.kernel_height - 1) * row.dilation_y + 1);
    row.next_rows = std::max<std::int64_t>(
        0, std::min(geometry.attributes.strides[0], row.height - row.next_top));
    loops.ordered_conv_row(row);
  }
}

void ordered_conv_rows(const InnerLoops& loops, const ConvGeometry& geometry, const float* x,
                       const float* weight, float* y, std::int64_t begin,
                       std::int64_t end) noexcept {
  run_ordered_rows(loops, geometry, make_ordered_row(geometry, weight, false), x, y, begin, end);
}

void ordered_stem_rows(const InnerLoops& loops, const ConvGeometry& geometry, const float* image,
                       const float* weight, const float* bn_mul, const float* bn_add, float* y,
                       std::int64_t begin, std::int64_t end) noexcept {
  OrderedRow row = make_ordered_row(geometry, weight, true);
  row.bn_mul = bn_mul;
  row.bn_add = bn_add;
  run_ordered_rows(loops, geometry, row, image, y, begin, end);
}

// `width` pixels of one row of a pool, from `ox` on; `y_step` floats from a pixel to the next.
void average_pixels(const InnerLoops& loops, const PoolGeometry& geometry, const float* x,
                    std::int64_t row, std::int64_t ox, std::int64_t width, float* y,
                    std::int64_t y_step) noexcept {
  const auto [batch, input_height, input_width, channels] = geometry.input;
  const std::int64_t image = row / geometry.output[1];
  const std::int64_t top = row % geometry.output[1] * geometry.kernel_shape[0];
  const std::int64_t left = ox * geometry.kernel_shape[1];
  PoolRow pool{};
  pool.x = x + ((image * input_height + top) * input_width + left) * channels;
  pool.kernel_height = std::min(geometry.kernel_shape[0], input_height - top);
  pool.kernel_width = geometry.kernel_shape[1];
  pool.columns = input_width - left;
  pool.row_step = input_width * channels;
  pool.channels = channels;
  pool.y = y;
  pool.y_step = y_step;
  pool.width = width;
  loops.average_row(pool);
}

void ordered_average_pool_rows(const InnerLoops& loops, const PoolGeometry& geometry,
                               const float* x, float* y, std::int64_t begin,
                               std::int64_t end) noexcept {
  const auto [batch, height, width, channels] = geometry.output;
  for (std::int64_t row = begin; row < end; ++row) {
    average_pixels(loops, geometry, x, row, 0, width, y + row * width * channels, channels);
  }
}

// What is between the units is worked on a few pixels at a time, so that it stays in the
// first-level cache: about this many bytes of values.
constexpr std::int64_t kMiddleBytes = 16384;

// How separable_block_rows() divides its scratch memory; each part begins on a cache line.
struct BlockScratch {
  std::int64_t ring_rows;  // of the padded input, which a kernel's rows need at once
  std::int64_t ring_row_bytes;
  std::int64_t middle_step;  // channels between the units, rounded up
  std::int64_t pixels;       // between the units at once
  std::int64_t sums;         // offsets of the parts
  std::int64_t shortcut;
  std::int64_t middle;
  std::int64_t codes;
  std::int64_t repeated;
  std::int64_t bytes;
};

bool is_averaged(const SeparableBlockGeometry& geometry) noexcept {
  return geometry.depthwise_unit.residual != Residual::kNone &&
         geometry.shortcut.kernel_shape != std::array<std::int64_t, 2>{1, 1};
}

// Whether the point-wise unit's shortcut is written out: repeated channels that are no whole
// vectors would have to be put together again and again.
bool is_repeated(const SeparableBlockGeometry& geometry) noexcept {
  const std::int64_t channels = geometry.pointwise.input[3];
  return geometry.pointwise_unit.residual != Residual::kNone &&
         geometry.pointwise.filters != channels && channels % kConstantTile != 0;
}

BlockScratch plan_scratch(const InnerLoops& loops,
                          const SeparableBlockGeometry& geometry) noexcept {
  const ConvGeometry& depthwise = geometry.depthwise;
  const std::int64_t channels = depthwise.input[3];
  const std::int64_t width = depthwise.output[2];
  constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
  BlockScratch plan{};
  plan.ring_rows =
      depthwise.attributes.dilations[0] * (depthwise.attributes.kernel_shape[0] - 1) + 1;
  plan.ring_row_bytes = round_up(depthwise.padded[1] * channels + loops.channel_tile, kCacheLine);
  plan.middle_step = round_up(channels, std::max(loops.channel_tile, kConstantTile));
  const std::int64_t tiles =
      std::max<std::int64_t>(1, kMiddleBytes / (kEpilogueTile * plan.middle_step * kFloat));
  plan.pixels = std::min(width, tiles * kEpilogueTile);
  const std::int64_t middle_bytes = round_up(plan.pixels * plan.middle_step * kFloat, kCacheLine);
  plan.sums = plan.ring_rows * plan.ring_row_bytes;
  plan.shortcut = plan.sums + round_up(plan.pixels * plan.middle_step, kCacheLine);
  plan.middle = plan.shortcut + (is_averaged(geometry) ? middle_bytes : 0);
  plan.codes = plan.middle + middle_bytes;
  plan.repeated = plan.codes + round_up(plan.pixels * code_bytes(loops, channels), kCacheLine);
  plan.bytes = plan.repeated;
  if (is_repeated(geometry)) {
    plan.bytes += plan.pixels * round_up(geometry.pointwise.filters, kConstantTile) * kFloat;
  }
  return plan;
}

std::int64_t separable_block_scratch_bytes(const InnerLoops& loops,
                                           const SeparableBlockGeometry& geometry) noexcept {
  return plan_scratch(loops, geometry).bytes;
}

void repeat_channels(const float* from, std::int64_t from_step, std::int64_t channels, float* to,
                     std::int64_t filters, std::int64_t width) noexcept {
  for (std::int64_t ox = 0; ox < width; ++ox) {
    for (std::int64_t m = 0; m < filters; m += channels) {
      std::copy_n(from, std::min(channels, filters - m), to + m);
    }
    from += from_step;
    to += round_up(filters, kConstantTile);
  }
}

// Rows of the input become signs in a ring of rows, which the depth-wise sums of a few pixels of
// one output row read; their epilogue writes values and codes, from which the point-wise unit makes
// those pixels of the output. All but x and y stays in the nearest caches.
//
//   x ──► ring of signs ──► sums ──► values, codes ──► y
//   └───────────── shortcut ──┘        └── shortcut ──┘
void separable_block_rows(const InnerLoops& loops, const SeparableBlockGeometry& geometry,
                          const SeparableBlockWeights& weights, const float* x, float* y,
                          std::byte* scratch, bool resumes, std::int64_t begin,
                          std::int64_t end) noexcept {
  const ConvGeometry& depthwise = geometry.depthwise;
  const ConvAttributes& a = depthwise.attributes;
  const auto [batch, height, width, channels] = depthwise.input;
  const std::int64_t out_height = depthwise.output[1];
  const std::int64_t out_width = depthwise.output[2];
  const std::int64_t filters = geometry.pointwise.filters;
  const BlockScratch plan = plan_scratch(loops, geometry);
  auto* ring = reinterpret_cast<std::int8_t*>(scratch);
  auto* sums = reinterpret_cast<std::int8_t*>(scratch + plan.sums);
  auto* average = reinterpret_cast<float*>(scratch + plan.shortcut);
  auto* middle = reinterpret_cast<float*>(scratch + plan.middle);
  auto* codes = reinterpret_cast<std::uint8_t*>(scratch + plan.codes);
  auto* repeated = reinterpret_cast<float*>(scratch + plan.repeated);
  const auto ring_row = [&](std::int64_t padded_row) noexcept {
    return ring + padded_row % plan.ring_rows * plan.ring_row_bytes;
  };

  DepthwiseEpilogue finish{};
  finish.epilogue = {weights.depthwise_constants, geometry.depthwise_unit};
  finish.sums = sums;
  finish.shortcut = middle;  // without a residual it is not read
  finish.y = middle;
  finish.step = plan.middle_step;
  finish.next_threshold = weights.pointwise_constants.threshold;
  finish.codes = codes;
  finish.code_step = code_bytes(loops, channels);
  finish.channels = channels;

  PointwiseRow pointwise{};
  pointwise.epilogue = {weights.pointwise_constants, geometry.pointwise_unit};
  pointwise.codes = codes;
  pointwise.code_step = finish.code_step;
  pointwise.words = words_of(loops, channels);
  pointwise.planes = geometry.pointwise.attributes.planes;
  pointwise.channels = channels;
  pointwise.filters = reinterpret_cast<const std::uint8_t*>(weights.pointwise);
  pointwise.filter_count = filters;
  pointwise.shortcut = is_repeated(geometry) ? repeated : middle;
  pointwise.shortcut_step =
      is_repeated(geometry) ? round_up(filters, kConstantTile) : plan.middle_step;
  pointwise.shortcut_channels = is_repeated(geometry) ? filters : channels;

  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / out_height;
    const std::int64_t oy = row % out_height;
    const std::int64_t first = oy * a.strides[0];
    const bool follows = oy > 0 && (row > begin || resumes);
    // What the row before left in the ring ends where its kernel did.
    const std::int64_t left_off = first - a.strides[0] + plan.ring_rows;
    for (std::int64_t padded_row = follows ? std::max(first, left_off) : first;
         padded_row < first + plan.ring_rows; ++padded_row) {
      binarise_depthwise_row(loops, depthwise, input_row(depthwise, x, image, padded_row),
                             weights.depthwise_constants.threshold, ring_row(padded_row));
    }
    for (std::int64_t ox = 0; ox < out_width; ox += plan.pixels) {
      const std::int64_t pixels = std::min(plan.pixels, out_width - ox);
      const std::int8_t* rows[kMostKernelRows];
      for (std::int64_t ky = 0; ky < a.kernel_shape[0]; ++ky) {
        rows[ky] = ring_row(first + ky * a.dilations[0]) + ox * a.strides[1] * channels;
      }
      DepthwiseRow sum_row = make_depthwise_row(loops, depthwise, weights.depthwise, rows);
      sum_row.width = pixels;
      loops.depthwise_sums(sum_row, sums, plan.middle_step);
      if (is_averaged(geometry)) {
        average_pixels(loops, geometry.shortcut, x, row, ox, pixels, average, plan.middle_step);
        finish.shortcut = average;
        finish.shortcut_step = plan.middle_step;
      } else if (geometry.depthwise_unit.residual != Residual::kNone) {
        finish.shortcut = x + (row * width + ox) * channels;
        finish.shortcut_step = channels;
      }
      finish.width = pixels;
      loops.depthwise_epilogue(finish);
      if (is_repeated(geometry)) {
        repeat_channels(middle, plan.middle_step, channels, repeated, filters, pixels);
      }
      pointwise.y = y + (row * out_width + ox) * filters;
      pointwise.width = pixels;
      loops.pointwise_row(pointwise);
    }
  }
}

// A kernel without its first parameter: each instruction set has one of its own.
template <const InnerLoops& kLoops, auto kKernel>
struct Bound;

template <const InnerLoops& kLoops, typename Result, typename... Arguments,
          Result (*kKernel)(const InnerLoops&, Arguments...) noexcept>
struct Bound<kLoops, kKernel> {
  static Result call(Arguments... arguments) noexcept { return kKernel(kLoops, arguments...); }
};

template <const InnerLoops& kLoops>
const Kernels& vector_kernels() noexcept {
  static const Kernels kKernels{kLoops.isa,
                                Bound<kLoops, tiled_bytes>::call,
                                Bound<kLoops, tile_sign_filters>::call,
                                Bound<kLoops, sign_bytes>::call,
                                Bound<kLoops, binarise_rows>::call,
                                Bound<kLoops, sign_conv_rows>::call,
                                Bound<kLoops, linear_weight_bytes>::call,
                                Bound<kLoops, tile_linear_weights>::call,
                                Bound<kLoops, linear_sign_bytes>::call,
                                Bound<kLoops, binarise_linear_rows>::call,
                                Bound<kLoops, sign_linear_parts>::call,
                                Bound<kLoops, ordered_conv_rows>::call,
                                Bound<kLoops, ordered_average_pool_rows>::call,
                                Bound<kLoops, ordered_stem_rows>::call,
                                Bound<kLoops, separable_block_scratch_bytes>::call,
                                Bound<kLoops, separable_block_rows>::call};
  return kKernels;
}

}  // namespace

#define BDNET_INSTRUCTION_SET(name, runs, because) \
  const Kernels& name##_kernels() noexcept { return vector_kernels<name::kInnerLoops>(); }
#include "bdnet/kernels.inc"

}  // namespace bdnet
