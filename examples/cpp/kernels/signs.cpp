// One convolution of signs by the kernels alone, without ONNX Runtime: packed weights are arranged
// once, then the input is binarised and convolved, here on one thread.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "bdnet/dispatch.h"

namespace {

// Where kernels read fastest.
constexpr std::size_t kCacheLine = 64;

// Bytes that begin on a cache line.
class Buffer {
 public:
  explicit Buffer(std::int64_t size) : lines_(static_cast<std::size_t>(size) / kCacheLine + 1) {}
  std::byte* data() { return lines_.front().bytes; }

 private:
  struct alignas(kCacheLine) Line {
    std::byte bytes[kCacheLine];
  };
  std::vector<Line> lines_;
};

int fail(const bdnet::Status& status) {
  std::fprintf(stderr, "signs: %s\n", status.message().c_str());
  return 2;
}

}  // namespace

int main() {
  // A ternary 3 x 3 filter of one channel, the Sobel operator's signs:
  //   -1 0 +1
  //   -1 0 +1
  //   -1 0 +1
  // as two planes (docs/packing.md): both bits are 1 for +1, the second alone for 0, none for -1.
  const std::uint8_t plane0[] = {0b00100100, 0b1};
  const std::uint8_t plane1[] = {0b10110110, 0b1};

  bdnet::ConvAttributes attributes;
  attributes.kernel_shape = {3, 3};
  attributes.pads = {1, 1, 1, 1};
  attributes.planes = 2;
  bdnet::ConvGeometry geometry;
  if (const auto status = bdnet::check_attributes(attributes, 1); !status.ok()) return fail(status);
  if (const auto status = bdnet::make_conv_geometry(attributes, 1, {1, 3, 4, 1}, &geometry);
      !status.ok()) {
    return fail(status);
  }
  const bdnet::Selection& selection = bdnet::active_selection();
  if (!selection.status.ok()) return fail(selection.status);
  const bdnet::Kernels& kernels = *selection.kernels;

  std::vector<bdnet::Sign> filter(static_cast<std::size_t>(attributes.filter_size()));
  bdnet::unpack_ternary(plane0, plane1, attributes.filter_size(), filter.data());
  Buffer tiled(kernels.tiled_bytes(attributes, 1));
  kernels.tile_sign_filters(attributes, 1, filter.data(), tiled.data());

  // An edge between the second and the third column.
  const std::vector<float> x{-1, -1, 2, 2, -1, -1, 2, 2, -1, -1, 2, 2};
  std::vector<float> y(x.size());
  Buffer signs(kernels.sign_bytes(geometry));
  const std::int64_t padded_rows = geometry.input[0] * geometry.padded[0];
  kernels.binarise_rows(geometry, x.data(), signs.data(), 0, padded_rows);
  const std::int64_t rows = geometry.output[0] * geometry.output[1];
  kernels.sign_conv_rows(geometry, signs.data(), tiled.data(), y.data(), 0, rows);

  std::fprintf(stderr, "kernels: %s, %s\n", kernels.isa, selection.reason.c_str());
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      std::printf("%3d", static_cast<int>(y[4 * row + column]));
    }
    std::printf("\n");
  }
  return 0;
}
