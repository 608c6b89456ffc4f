#include "reference.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "bdnet/kernels.h"

// Compiled with -ffp-contract=off (see cmake/BdnetCompileOptions.cmake): every product and every
// sum of floats here is rounded on its own. The inner loops run over contiguous memory, which is
// all that a compiler needs to vectorise them; none of that may change the order of a float sum.
namespace bdnet {
namespace {

// Outputs whose sums are kept at once: enough for vectors, few enough for the first-level cache.
constexpr std::int64_t kBlock = 64;

std::int64_t tiled_bytes(const ConvAttributes& attributes, std::int64_t filter_count) noexcept {
  return filter_count * attributes.filter_size() * static_cast<std::int64_t>(sizeof(Sign));
}

void tile_sign_filters(const ConvAttributes& attributes, std::int64_t filter_count,
                       const Sign* filters, std::byte* bytes) noexcept {
  Sign* tiled = reinterpret_cast<Sign*>(bytes);
  const std::int64_t size = attributes.filter_size();
  const bool depthwise = attributes.channels == 1 && filter_count == attributes.group;
  if (!depthwise) {
    std::copy_n(filters, filter_count * size, tiled);
    return;
  }
  // Channels innermost, as in the activations: [kh, kw, C].
  for (std::int64_t m = 0; m < filter_count; ++m) {
    for (std::int64_t tap = 0; tap < size; ++tap) {
      tiled[tap * filter_count + m] = filters[m * size + tap];
    }
  }
}

std::int64_t sign_bytes(const ConvGeometry& geometry) noexcept {
  return geometry.padded_count() * static_cast<std::int64_t>(sizeof(Sign));
}

// signs: [N, padded height, padded width, C].
void binarise_rows(const ConvGeometry& geometry, const float* x, std::byte* bytes,
                   std::int64_t begin, std::int64_t end) noexcept {
  Sign* signs = reinterpret_cast<Sign*>(bytes);
  const auto [batch, height, width, channels] = geometry.input;
  const auto [top, left, bottom, right] = geometry.attributes.pads;
  const Sign padding = static_cast<Sign>(geometry.attributes.pad_value);
  const std::int64_t row_size = geometry.padded[1] * channels;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.padded[0];
    const std::int64_t iy = row % geometry.padded[0] - top;
    Sign* out = signs + row * row_size;
    if (iy < 0 || iy >= height) {
      std::fill_n(out, row_size, padding);
      continue;
    }
    const float* in = x + (image * height + iy) * width * channels;
    out = std::fill_n(out, left * channels, padding);
    for (std::int64_t i = 0; i < width * channels; ++i) {
      out[i] = in[i] >= 0.0f ? Sign{1} : Sign{-1};
    }
    std::fill_n(out + width * channels, right * channels, padding);
  }
}

// One filter per channel: channels are independent and contiguous, so the sums of a block of them
// grow side by side.
void depthwise_row(const ConvGeometry& geometry, const Sign* signs, const Sign* weights,
                   float* y) noexcept {
  const ConvAttributes& attributes = geometry.attributes;
  const auto [kernel_height, kernel_width] = attributes.kernel_shape;
  const std::int64_t channels = geometry.input[3];
  const std::int64_t row_size = geometry.padded[1] * channels;
  for (std::int64_t ox = 0; ox < geometry.output[2]; ++ox) {
    for (std::int64_t first = 0; first < channels; first += kBlock) {
      const std::int64_t count = std::min(kBlock, channels - first);
      std::array<std::int32_t, kBlock> sums{};
      for (std::int64_t ky = 0; ky < kernel_height; ++ky) {
        for (std::int64_t kx = 0; kx < kernel_width; ++kx) {
          const std::int64_t ix = ox * attributes.strides[1] + kx * attributes.dilations[1];
          const Sign* s = signs + ky * attributes.dilations[0] * row_size + ix * channels + first;
          const Sign* w = weights + (ky * kernel_width + kx) * channels + first;
          for (std::int64_t c = 0; c < count; ++c) {
            sums[static_cast<std::size_t>(c)] += s[c] * w[c];
          }
        }
      }
      for (std::int64_t c = 0; c < count; ++c) {
        y[ox * channels + first + c] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
      }
    }
  }
}

std::int32_t dot(const Sign* a, const Sign* b, std::int64_t count) noexcept {
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// Any grouping: a dot product over the channels of the group at every tap.
void grouped_row(const ConvGeometry& geometry, const Sign* signs, const Sign* weights,
                 float* y) noexcept {
  const ConvAttributes& attributes = geometry.attributes;
  const auto [kernel_height, kernel_width] = attributes.kernel_shape;
  const std::int64_t channels = geometry.input[3];
  const std::int64_t row_size = geometry.padded[1] * channels;
  const std::int64_t filters_per_group = geometry.filters / attributes.group;
  // Filters outermost: a filter stays in the cache for the whole row of pixels.
  for (std::int64_t m = 0; m < geometry.filters; ++m) {
    const std::int64_t first = m / filters_per_group * attributes.channels;
    const Sign* filter = weights + m * attributes.filter_size();
    for (std::int64_t ox = 0; ox < geometry.output[2]; ++ox) {
      std::int32_t sum = 0;
      for (std::int64_t ky = 0; ky < kernel_height; ++ky) {
        for (std::int64_t kx = 0; kx < kernel_width; ++kx) {
          const std::int64_t ix = ox * attributes.strides[1] + kx * attributes.dilations[1];
          sum += dot(signs + ky * attributes.dilations[0] * row_size + ix * channels + first,
                     filter + (ky * kernel_width + kx) * attributes.channels, attributes.channels);
        }
      }
      y[ox * geometry.filters + m] = static_cast<float>(sum);
    }
  }
}

void sign_conv_rows(const ConvGeometry& geometry, const std::byte* sign_data,
                    const std::byte* tiled, float* y, std::int64_t begin,
                    std::int64_t end) noexcept {
  const Sign* signs = reinterpret_cast<const Sign*>(sign_data);
  const Sign* weights = reinterpret_cast<const Sign*>(tiled);
  const auto row_kernel = geometry.is_depthwise() ? depthwise_row : grouped_row;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.output[1];
    const std::int64_t oy = row % geometry.output[1];
    const std::int64_t first_row = image * geometry.padded[0] + oy * geometry.attributes.strides[0];
    row_kernel(geometry, signs + first_row * geometry.padded[1] * geometry.input[3], weights,
               y + row * geometry.output[2] * geometry.output[3]);
  }
}

std::int64_t linear_weight_bytes(const SignLinear& linear) noexcept {
  return linear.outputs * linear.inputs * static_cast<std::int64_t>(sizeof(Sign));
}

void tile_linear_weights(const SignLinear& linear, const Sign* weights, std::byte* tiled) noexcept {
  std::copy_n(weights, linear.outputs * linear.inputs, reinterpret_cast<Sign*>(tiled));
}

std::int64_t linear_sign_bytes(const SignLinear& linear, std::int64_t rows) noexcept {
  return rows * linear.inputs * static_cast<std::int64_t>(sizeof(Sign));
}

void binarise_linear_rows(const SignLinear& linear, const float* x, std::byte* signs,
                          std::int64_t begin, std::int64_t end) noexcept {
  Sign* out = reinterpret_cast<Sign*>(signs);
  for (std::int64_t i = begin * linear.inputs; i < end * linear.inputs; ++i) {
    out[i] = x[i] >= 0.0f ? Sign{1} : Sign{-1};
  }
}

void sign_linear_parts(const SignLinear& linear, std::int64_t rows, const std::byte* sign_data,
                       const std::byte* tiled, float* y, std::int64_t begin,
                       std::int64_t end) noexcept {
  const Sign* signs = reinterpret_cast<const Sign*>(sign_data);
  const Sign* weights = reinterpret_cast<const Sign*>(tiled);
  const std::int64_t last = std::min(end * kLinearPart, linear.outputs);
  for (std::int64_t m = begin * kLinearPart; m < last; ++m) {
    for (std::int64_t row = 0; row < rows; ++row) {
      y[row * linear.outputs + m] = static_cast<float>(
          dot(signs + row * linear.inputs, weights + m * linear.inputs, linear.inputs));
    }
  }
}

// Steps from a row, a column, a channel to the next.
struct Layout {
  std::int64_t row, column, channel;
};

void ordered_rows(const ConvGeometry& geometry, const Layout& layout, const float* x,
                  const float* weight, float* y, std::int64_t begin, std::int64_t end) noexcept {
  const ConvAttributes& attributes = geometry.attributes;
  const auto [batch, height, width, channels] = geometry.input;
  const auto [kernel_height, kernel_width] = attributes.kernel_shape;
  const std::int64_t filters = geometry.filters;
  for (std::int64_t row = begin; row < end; ++row) {
    const float* image = x + row / geometry.output[1] * height * width * channels;
    const std::int64_t top = row % geometry.output[1] * attributes.strides[0] - attributes.pads[0];
    for (std::int64_t ox = 0; ox < geometry.output[2]; ++ox) {
      const std::int64_t left = ox * attributes.strides[1] - attributes.pads[1];
      for (std::int64_t first = 0; first < filters; first += kBlock) {
        const std::int64_t count = std::min(kBlock, filters - first);
        std::array<float, kBlock> sums{};
        const float* w = weight + first;
        for (std::int64_t ky = 0; ky < kernel_height; ++ky) {
          const std::int64_t iy = top + ky * attributes.dilations[0];
          for (std::int64_t kx = 0; kx < kernel_width; ++kx) {
            const std::int64_t ix = left + kx * attributes.dilations[1];
            const bool inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
            const std::int64_t pixel = iy * layout.row + ix * layout.column;
            for (std::int64_t c = 0; c < channels; ++c) {
              const float value = inside ? image[pixel + c * layout.channel] : 0.0f;
              for (std::int64_t m = 0; m < count; ++m) {
                sums[static_cast<std::size_t>(m)] += value * w[m];
              }
              w += filters;
            }
          }
        }
        std::copy_n(sums.begin(), count, y + (row * geometry.output[2] + ox) * filters + first);
      }
    }
  }
}

void ordered_conv_rows(const ConvGeometry& geometry, const float* x, const float* weight, float* y,
                       std::int64_t begin, std::int64_t end) noexcept {
  const std::int64_t channels = geometry.input[3];
  ordered_rows(geometry, {geometry.input[2] * channels, channels, 1}, x, weight, y, begin, end);
}

void ordered_stem_rows(const ConvGeometry& geometry, const float* image, const float* weight,
                       const float* bn_mul, const float* bn_add, float* y, std::int64_t begin,
                       std::int64_t end) noexcept {
  const auto [batch, height, width, channels] = geometry.input;
  ordered_rows(geometry, {width, 1, height * width}, image, weight, y, begin, end);
  const std::int64_t filters = geometry.filters;
  const std::int64_t row_size = geometry.output[2] * filters;
  for (std::int64_t i = begin * row_size; i < end * row_size; ++i) {
    y[i] = y[i] * bn_mul[i % filters];
    y[i] = y[i] + bn_add[i % filters];
  }
}

void ordered_average_pool_rows(const PoolGeometry& geometry, const float* x, float* y,
                               std::int64_t begin, std::int64_t end) noexcept {
  const auto [batch, height, width, channels] = geometry.input;
  const auto [kernel_height, kernel_width] = geometry.kernel_shape;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t image = row / geometry.output[1];
    const std::int64_t top = row % geometry.output[1] * kernel_height;
    const std::int64_t bottom = std::min(top + kernel_height, height);
    for (std::int64_t ox = 0; ox < geometry.output[2]; ++ox) {
      const std::int64_t left = ox * kernel_width;
      const std::int64_t right = std::min(left + kernel_width, width);
      const float taps = static_cast<float>((bottom - top) * (right - left));
      float* out = y + (row * geometry.output[2] + ox) * channels;
      for (std::int64_t first = 0; first < channels; first += kBlock) {
        const std::int64_t count = std::min(kBlock, channels - first);
        std::array<float, kBlock> sums{};
        for (std::int64_t iy = top; iy < bottom; ++iy) {
          for (std::int64_t ix = left; ix < right; ++ix) {
            const float* in = x + ((image * height + iy) * width + ix) * channels + first;
            for (std::int64_t c = 0; c < count; ++c) sums[static_cast<std::size_t>(c)] += in[c];
          }
        }
        for (std::int64_t c = 0; c < count; ++c) {
          out[first + c] = sums[static_cast<std::size_t>(c)] / taps;
        }
      }
    }
  }
}

}  // namespace

const Kernels& reference_kernels() noexcept {
  static constexpr Kernels kKernels{"reference",
                                    tiled_bytes,
                                    tile_sign_filters,
                                    sign_bytes,
                                    binarise_rows,
                                    sign_conv_rows,
                                    linear_weight_bytes,
                                    tile_linear_weights,
                                    linear_sign_bytes,
                                    binarise_linear_rows,
                                    sign_linear_parts,
                                    ordered_conv_rows,
                                    ordered_average_pool_rows,
                                    ordered_stem_rows,
                                    reference::separable_block_scratch_bytes,
                                    reference::separable_block_rows};
  return kKernels;
}

}  // namespace bdnet
