#include "vector_linear.h"

#include <algorithm>

#include "words.h"

namespace bdnet {
namespace {

std::int64_t linear_words(const InnerLoops& loops, const SignLinear& linear) noexcept {
  return count_words(loops.linear_word_channels, linear.inputs);
}

// Bytes of one plane of a tile of filters.
std::int64_t plane_bytes(const InnerLoops& loops, const SignLinear& linear) noexcept {
  return linear_words(loops, linear) * loops.filter_tile * loops.word_bytes;
}

}  // namespace

std::int64_t linear_weight_bytes(const InnerLoops& loops, const SignLinear& linear) noexcept {
  return round_up(linear.outputs, loops.filter_tile) / loops.filter_tile * linear.planes *
         plane_bytes(loops, linear);
}

// [tiles, planes, words, filter tile, word bytes].
void tile_linear_weights(const InnerLoops& loops, const SignLinear& linear, const Sign* weights,
                         std::byte* tiled) noexcept {
  const std::int64_t plane_step = plane_bytes(loops, linear);
  const std::int64_t word_step = loops.filter_tile * loops.word_bytes;
  std::fill_n(tiled, linear_weight_bytes(loops, linear), std::byte{0});
  for (std::int64_t m = 0; m < linear.outputs; ++m, weights += linear.inputs) {
    std::byte* out = tiled + m / loops.filter_tile * linear.planes * plane_step +
                     m % loops.filter_tile * loops.word_bytes;
    for (int plane = 0; plane < linear.planes; ++plane, out += plane_step) {
      for (std::int64_t c = 0; c < linear.inputs; ++c) {
        if (!bit_in_plane(weights[c], plane > 0)) continue;
        const std::int64_t bit = c % loops.linear_word_channels;
        out[c / loops.linear_word_channels * word_step + bit / 8] |= std::byte{1} << (bit % 8);
      }
    }
  }
}

std::int64_t linear_sign_bytes(const InnerLoops& loops, const SignLinear& linear,
                               std::int64_t rows) noexcept {
  return rows * code_bytes(loops, linear.inputs);
}

void binarise_linear_rows(const InnerLoops& loops, const SignLinear& linear, const float* x,
                          std::byte* signs, std::int64_t begin, std::int64_t end) noexcept {
  const std::int64_t row_bytes = code_bytes(loops, linear.inputs);
  auto* codes = reinterpret_cast<std::uint8_t*>(signs);
  for (std::int64_t row = begin; row < end; ++row) {
    loops.encode_signs(x + row * linear.inputs, linear.inputs, codes + row * row_bytes);
  }
}

// The weights of a part stay in the nearest cache for all rows, so they are read from memory once.
void sign_linear_parts(const InnerLoops& loops, const SignLinear& linear, std::int64_t rows,
                       const std::byte* signs, const std::byte* tiled, float* y, std::int64_t begin,
                       std::int64_t end) noexcept {
  const std::int64_t row_bytes = code_bytes(loops, linear.inputs);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(signs);
  DenseTile tile{};
  tile.terms = linear.inputs;
  tile.kernel_height = 1;
  tile.kernel_width = 1;
  tile.words = linear_words(loops, linear);
  tile.planes = linear.planes;
  tile.filter_tile_step = linear.planes * plane_bytes(loops, linear);
  tile.y_step = linear.outputs;
  for (std::int64_t part = begin; part < end; ++part) {
    const std::int64_t first = part * kLinearPart;
    tile.filters = reinterpret_cast<const std::uint8_t*>(tiled) +
                   first / loops.filter_tile * tile.filter_tile_step;
    tile.filter_count = std::min(kLinearPart, linear.outputs - first);
    for (std::int64_t row = 0; row < rows; row += tile.pixels) {
      tile.pixels = std::min(kPixelTile, rows - row);
      for (std::int64_t p = 0; p < tile.pixels; ++p) tile.codes[p] = codes + (row + p) * row_bytes;
      tile.y = y + row * linear.outputs + first;
      loops.linear_tile(tile);
    }
  }
}

}  // namespace bdnet
