#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "avx2.h"
#include "bdnet/kernels.h"
#include "checks.h"

// The AVX2 kernels as a table: how they arrange signs and weights, and which loop does what. Not
// compiled with -mavx2, see avx2.h.
namespace bdnet {
namespace {

using avx2::kAbsentCode;
using avx2::kChannelTile;
using avx2::kFilterTile;
using avx2::kNibbleCode;
using avx2::kPixelTile;

enum class Method { kDepthwise, kDense, kReference };

// With fewer filters to a group than this, most bytes of a tile of filters would be idle.
constexpr std::int64_t kFewestFilters = 8;

Method method_of(const ConvAttributes& attributes, std::int64_t filter_count) noexcept {
  const std::int64_t filters_per_group = filter_count / attributes.group;
  if (attributes.group > 1 && attributes.channels == 1 && filters_per_group == 1) {
    return Method::kDepthwise;
  }
  if (attributes.group == 1 || filters_per_group >= kFewestFilters) return Method::kDense;
  return Method::kReference;
}

std::int64_t round_up(std::int64_t count, std::int64_t multiple) noexcept {
  return (count + multiple - 1) / multiple * multiple;
}

// Bytes of codes of one group of one pixel.
std::int64_t group_code_bytes(const ConvAttributes& attributes) noexcept {
  return 2 * packed_bytes(attributes.channels);
}

// Bytes of one group's filters: [tiles, taps, planes, tap bytes, kFilterTile].
std::int64_t group_tiled_bytes(const ConvAttributes& attributes,
                               std::int64_t filter_count) noexcept {
  const std::int64_t taps = attributes.kernel_shape[0] * attributes.kernel_shape[1];
  return round_up(filter_count / attributes.group, kFilterTile) * taps * attributes.planes *
         packed_bytes(attributes.channels);
}

std::int64_t tiled_bytes(const ConvAttributes& attributes, std::int64_t filter_count) noexcept {
  switch (method_of(attributes, filter_count)) {
    case Method::kDepthwise:
      return attributes.filter_size() * round_up(filter_count, kChannelTile);
    case Method::kDense:
      return attributes.group * group_tiled_bytes(attributes, filter_count);
    case Method::kReference:
      break;
  }
  return reference_kernels().tiled_bytes(attributes, filter_count);
}

// Channels innermost, as in the activations: [taps, channels rounded up].
void tile_depthwise(const ConvAttributes& attributes, std::int64_t filter_count,
                    const Sign* filters, std::byte* tiled) noexcept {
  const std::int64_t step = round_up(filter_count, kChannelTile);
  auto* bytes = reinterpret_cast<std::int8_t*>(tiled);
  std::fill_n(bytes, tiled_bytes(attributes, filter_count), std::int8_t{0});
  for (std::int64_t m = 0; m < filter_count; ++m) {
    for (std::int64_t tap = 0; tap < attributes.filter_size(); ++tap) {
      bytes[tap * step + m] = static_cast<std::int8_t>(*filters++);
    }
  }
}

// The bit of a weight of -1, 0, +1 in a plane: (0, 0), (0, 1), (1, 1), first and last plane.
bool bit_in_plane(Sign weight, bool last) noexcept { return last ? weight >= 0 : weight > 0; }

void tile_dense(const ConvAttributes& attributes, std::int64_t filter_count, const Sign* filters,
                std::byte* tiled) noexcept {
  const std::int64_t filters_per_group = filter_count / attributes.group;
  const std::int64_t group_bytes = group_tiled_bytes(attributes, filter_count);
  const std::int64_t tap_bytes = packed_bytes(attributes.channels);
  const std::int64_t taps = attributes.kernel_shape[0] * attributes.kernel_shape[1];
  std::fill_n(tiled, attributes.group * group_bytes, std::byte{0});
  for (std::int64_t filter = 0; filter < filter_count; ++filter) {
    const std::int64_t m = filter % filters_per_group;
    const std::int64_t tile = m / kFilterTile * kFilterTile;
    std::byte* out = tiled + filter / filters_per_group * group_bytes +
                     tile * taps * attributes.planes * tap_bytes + m % kFilterTile;
    for (std::int64_t tap = 0; tap < taps; ++tap, filters += attributes.channels) {
      for (int plane = 0; plane < attributes.planes; ++plane, out += tap_bytes * kFilterTile) {
        for (std::int64_t c = 0; c < attributes.channels; ++c) {
          if (bit_in_plane(filters[c], plane > 0)) {
            out[c / 8 * kFilterTile] |= std::byte{1} << (c % 8);
          }
        }
      }
    }
  }
}

void tile_sign_filters(const ConvAttributes& attributes, std::int64_t filter_count,
                       const Sign* filters, std::byte* tiled) noexcept {
  switch (method_of(attributes, filter_count)) {
    case Method::kDepthwise:
      return tile_depthwise(attributes, filter_count, filters, tiled);
    case Method::kDense:
      return tile_dense(attributes, filter_count, filters, tiled);
    case Method::kReference:
      return reference_kernels().tile_sign_filters(attributes, filter_count, filters, tiled);
  }
}

std::int64_t sign_bytes(const ConvGeometry& geometry) noexcept {
  switch (method_of(geometry.attributes, geometry.filters)) {
    case Method::kDepthwise:
      return geometry.padded_count() + kChannelTile;
    case Method::kDense:
      return geometry.padded_count() / geometry.attributes.channels *
             group_code_bytes(geometry.attributes);
    case Method::kReference:
      break;
  }
  return reference_kernels().sign_bytes(geometry);
}

// `pixels` pixels of padding.
std::uint8_t* fill_padding_codes(const ConvGeometry& geometry, std::int64_t pixels,
                                 std::uint8_t* codes) noexcept {
  const ConvAttributes& attributes = geometry.attributes;
  const std::int64_t group_bytes = group_code_bytes(attributes);
  const std::int64_t bytes = pixels * attributes.group * group_bytes;
  if (attributes.pad_value <= 0) {
    return std::fill_n(codes, bytes, attributes.pad_value < 0 ? std::uint8_t{0} : kAbsentCode);
  }
  for (std::int64_t i = 0; i < bytes; ++i) {
    const std::int64_t left = attributes.channels - i % group_bytes * 4;
    const int signs = static_cast<int>(std::clamp<std::int64_t>(left, 0, 4));
    codes[i] = static_cast<std::uint8_t>(((1 << signs) - 1) * kNibbleCode);
  }
  return codes + bytes;
}

void encode_row(const ConvGeometry& geometry, const float* x, std::uint8_t* codes) noexcept {
  const std::int64_t width = geometry.input[2];
  const std::int64_t channels = geometry.attributes.channels;
  if (channels % 8 == 0) {  // no byte of codes holds parts of two groups
    avx2::encode_signs(x, width * geometry.input[3], codes);
    return;
  }
  for (std::int64_t i = 0; i < width * geometry.attributes.group; ++i) {
    avx2::encode_signs(x + i * channels, channels,
                       codes + i * group_code_bytes(geometry.attributes));
  }
}

void binarise_dense_row(const ConvGeometry& geometry, const float* x,
                        std::uint8_t* codes) noexcept {
  const auto [top, left, bottom, right] = geometry.attributes.pads;
  if (x == nullptr) {
    fill_padding_codes(geometry, geometry.padded[1], codes);
    return;
  }
  codes = fill_padding_codes(geometry, left, codes);
  encode_row(geometry, x, codes);
  codes += geometry.input[2] * geometry.attributes.group * group_code_bytes(geometry.attributes);
  fill_padding_codes(geometry, right, codes);
}

void binarise_depthwise_row(const ConvGeometry& geometry, const float* x,
                            std::int8_t* signs) noexcept {
  const auto [top, left, bottom, right] = geometry.attributes.pads;
  const auto padding = static_cast<std::int8_t>(geometry.attributes.pad_value);
  const std::int64_t channels = geometry.input[3];
  if (x == nullptr) {
    std::fill_n(signs, geometry.padded[1] * channels, padding);
    return;
  }
  signs = std::fill_n(signs, left * channels, padding);
  avx2::binarise(x, geometry.input[2] * channels, signs);
  std::fill_n(signs + geometry.input[2] * channels, right * channels, padding);
}

void binarise_rows(const ConvGeometry& geometry, const float* x, std::byte* signs,
                   std::int64_t begin, std::int64_t end) noexcept {
  const Method method = method_of(geometry.attributes, geometry.filters);
  if (method == Method::kReference) {
    return reference_kernels().binarise_rows(geometry, x, signs, begin, end);
  }
  const auto [batch, height, width, channels] = geometry.input;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.padded[0];
    const std::int64_t iy = row % geometry.padded[0] - geometry.attributes.pads[0];
    const bool inside = iy >= 0 && iy < height;
    const float* in = inside ? x + (image * height + iy) * width * channels : nullptr;
    if (method == Method::kDense) {
      const std::int64_t row_bytes =
          geometry.padded[1] * geometry.attributes.group * group_code_bytes(geometry.attributes);
      binarise_dense_row(geometry, in, reinterpret_cast<std::uint8_t*>(signs) + row * row_bytes);
    } else {
      binarise_depthwise_row(
          geometry, in,
          reinterpret_cast<std::int8_t*>(signs) + row * geometry.padded[1] * channels);
    }
  }
}

// How many of `count` taps, the first at `first` and each `step` after the last, lie in [0, size).
std::int64_t taps_inside(std::int64_t first, std::int64_t step, std::int64_t count,
                         std::int64_t size) noexcept {
  const std::int64_t begin = first < 0 ? (-first + step - 1) / step : 0;
  const std::int64_t end = first < size ? (size - 1 - first) / step + 1 : 0;
  return std::max<std::int64_t>(std::min(end, count) - begin, 0);
}

// `signs` is the row that the first tap of output row `oy` reads.
void dense_row(const ConvGeometry& geometry, std::int64_t oy, const std::byte* signs,
               const std::byte* tiled, float* y) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const std::int64_t group_bytes = group_code_bytes(a);
  const std::int64_t pixel_bytes = a.group * group_bytes;
  const std::int64_t tiled_size = group_tiled_bytes(a, geometry.filters);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(signs);

  avx2::DenseTile tile{};
  tile.kernel_height = a.kernel_shape[0];
  tile.kernel_width = a.kernel_shape[1];
  tile.row_step = a.dilations[0] * geometry.padded[1] * pixel_bytes;
  tile.column_step = a.dilations[1] * pixel_bytes;
  tile.tap_bytes = packed_bytes(a.channels);
  tile.planes = a.planes;
  tile.filter_count = geometry.filters / a.group;
  tile.y_step = geometry.filters;

  const std::int64_t rows_inside = taps_inside(oy * a.strides[0] - a.pads[0], a.dilations[0],
                                               a.kernel_shape[0], geometry.input[1]);
  for (std::int64_t ox = 0; ox < geometry.output[2]; ox += kPixelTile) {
    tile.pixels = std::min(kPixelTile, geometry.output[2] - ox);
    for (std::int64_t p = 0; p < tile.pixels; ++p) {
      const std::int64_t columns_inside =
          taps_inside((ox + p) * a.strides[1] - a.pads[1], a.dilations[1], a.kernel_shape[1],
                      geometry.input[2]);
      tile.terms[p] = static_cast<float>(
          a.pad_value == 0 ? rows_inside * columns_inside * a.channels : a.filter_size());
    }
    for (std::int64_t group = 0; group < a.group; ++group) {
      for (std::int64_t p = 0; p < tile.pixels; ++p) {
        tile.codes[p] = codes + (ox + p) * a.strides[1] * pixel_bytes + group * group_bytes;
      }
      tile.filters = reinterpret_cast<const std::uint8_t*>(tiled) + group * tiled_size;
      tile.y = y + ox * geometry.filters + group * tile.filter_count;
      avx2::dense_tile(tile);
    }
  }
}

void depthwise_row(const ConvGeometry& geometry, const std::byte* signs, const std::byte* tiled,
                   float* y) noexcept {
  const ConvAttributes& a = geometry.attributes;
  const std::int64_t channels = geometry.input[3];
  avx2::DepthwiseRow row{};
  row.signs = reinterpret_cast<const std::int8_t*>(signs);
  row.kernel_height = a.kernel_shape[0];
  row.kernel_width = a.kernel_shape[1];
  row.row_step = a.dilations[0] * geometry.padded[1] * channels;
  row.column_step = a.dilations[1] * channels;
  row.pixel_step = a.strides[1] * channels;
  row.filters = reinterpret_cast<const std::int8_t*>(tiled);
  row.filter_step = round_up(channels, kChannelTile);
  row.channels = channels;
  row.y = y;
  row.width = geometry.output[2];
  avx2::depthwise_row(row);
}

void sign_conv_rows(const ConvGeometry& geometry, const std::byte* signs, const std::byte* tiled,
                    float* y, std::int64_t begin, std::int64_t end) noexcept {
  const ConvAttributes& attributes = geometry.attributes;
  const Method method = method_of(attributes, geometry.filters);
  if (method == Method::kReference) {
    return reference_kernels().sign_conv_rows(geometry, signs, tiled, y, begin, end);
  }
  const std::int64_t pixel_bytes = method == Method::kDense
                                       ? attributes.group * group_code_bytes(attributes)
                                       : geometry.input[3];
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.output[1];
    const std::int64_t oy = row % geometry.output[1];
    const std::int64_t first_row = image * geometry.padded[0] + oy * attributes.strides[0];
    const std::byte* in = signs + first_row * geometry.padded[1] * pixel_bytes;
    float* out = y + row * geometry.output[2] * geometry.output[3];
    if (method == Method::kDense) {
      dense_row(geometry, oy, in, tiled, out);
    } else {
      depthwise_row(geometry, in, tiled, out);
    }
  }
}

void ordered_conv_rows(const ConvGeometry& geometry, const float* x, const float* weight, float* y,
                       std::int64_t begin, std::int64_t end) noexcept {
  const ConvAttributes& a = geometry.attributes;
  avx2::OrderedRow row{};
  row.height = geometry.input[1];
  row.width = geometry.input[2];
  row.channels = geometry.input[3];
  row.left = -a.pads[1];
  row.stride = a.strides[1];
  row.dilation_y = a.dilations[0];
  row.dilation_x = a.dilations[1];
  row.kernel_height = a.kernel_shape[0];
  row.kernel_width = a.kernel_shape[1];
  row.weight = weight;
  row.filters = geometry.filters;
  row.output_width = geometry.output[2];
  for (std::int64_t index = begin; index < end; ++index) {
    row.image = x + index / geometry.output[1] * row.height * row.width * row.channels;
    row.top = index % geometry.output[1] * a.strides[0] - a.pads[0];
    row.y = y + index * row.output_width * row.filters;
    avx2::ordered_conv_row(row);
  }
}

void ordered_average_pool_rows(const PoolGeometry& geometry, const float* x, float* y,
                               std::int64_t begin, std::int64_t end) noexcept {
  const auto [batch, height, width, channels] = geometry.input;
  const auto [kernel_height, kernel_width] = geometry.kernel_shape;
  avx2::PoolTile tile{};
  tile.row_step = width * channels;
  tile.channels = channels;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.output[1];
    const std::int64_t top = row % geometry.output[1] * kernel_height;
    tile.height = std::min(kernel_height, height - top);
    for (std::int64_t ox = 0; ox < geometry.output[2]; ++ox) {
      tile.width = std::min(kernel_width, width - ox * kernel_width);
      tile.x = x + ((image * height + top) * width + ox * kernel_width) * channels;
      tile.y = y + (row * geometry.output[2] + ox) * channels;
      avx2::average_tile(tile);
    }
  }
}

}  // namespace

const Kernels& avx2_kernels() noexcept {
  static constexpr Kernels kKernels{
      "avx2",        tiled_bytes,    tile_sign_filters, sign_bytes,
      binarise_rows, sign_conv_rows, ordered_conv_rows, ordered_average_pool_rows};
  return kKernels;
}

}  // namespace bdnet
