#include <cstddef>
#include <cstdint>
#include <vector>

#include "bdnet/convolution.h"
#include "bdnet/packing.h"
#include "finding.h"
#include "node.h"
#include "reader.h"

// The packed format, docs/packing.md: any bytes are weights of -1, 0 and +1, each in its place, and
// packing them again gives the same bytes but for the tail; the check of a shape accepts none that
// is not there to be read.
namespace bdnet::fuzz {
namespace {

bool bit(const std::vector<std::uint8_t>& plane, std::int64_t index) {
  return (plane[static_cast<std::size_t>(index / 8)] >> (index % 8) & 1) != 0;
}

void check_planes(Reader& reader) {
  const std::int64_t bits = reader.pick(0, 255);
  const auto count = static_cast<std::size_t>(bits);
  const auto bytes = static_cast<std::size_t>(packed_bytes(bits));
  if (bytes != (count + 7) / 8) finding("counts the bytes of a plane wrongly");
  std::vector<std::uint8_t> planes[2];
  for (std::vector<std::uint8_t>& plane : planes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      plane.push_back(static_cast<std::uint8_t>(reader.byte()));
    }
    plane.shrink_to_fit();
  }
  std::vector<Sign> binary(count, 99);
  unpack_binary(planes[0].data(), bits, binary.data());
  std::vector<Sign> ternary(count, 99);
  unpack_ternary(planes[0].data(), planes[1].data(), bits, ternary.data());
  std::vector<float> values(count);
  for (std::int64_t i = 0; i < bits; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool first = bit(planes[0], i);
    if (binary[at] != (first ? 1 : -1)) finding("reads a binary weight wrongly");
    if (ternary[at] != first + bit(planes[1], i) - 1) finding("reads a ternary weight wrongly");
    values[at] = binary[at];
  }
  std::vector<std::uint8_t> packed(bytes, 0xAA);
  pack_plane(values.data(), bits, packed.data());
  if (bits % 8 != 0) planes[0].back() &= static_cast<std::uint8_t>((1 << bits % 8) - 1);
  if (packed != planes[0]) finding("packs other bytes than it has read");
}

void check_shape(Reader& reader) {
  ConvAttributes attributes;
  attributes.kernel_shape = {reader.any(), reader.any()};
  attributes.channels = reader.any();
  attributes.group = reader.any();
  attributes.planes = static_cast<int>(reader.pick(1, 2));
  std::vector<std::int64_t> dims;
  for (std::int64_t rank = reader.pick(0, 4); rank > 0; --rank) dims.push_back(reader.any());
  if (!dims.empty() && reader.pick(0, 1) == 0) {
    // Random shapes do not meet; this is the one that is meant.
    const __int128 bits = __int128{attributes.kernel_shape[0]} * attributes.kernel_shape[1] %
                          (1 << 24) * (attributes.channels % (1 << 24));
    dims.back() = static_cast<std::int64_t>((bits + 7) / 8);
  }
  std::int64_t filters = -1;
  if (!check_packed_shape(attributes, dims, &filters).ok()) return;
  __int128 there = 1;
  for (const std::int64_t dim : dims) there *= dim;
  const __int128 bits =
      __int128{attributes.kernel_shape[0]} * attributes.kernel_shape[1] * attributes.channels;
  if (filters < 1 || there != (bits + 7) / 8 * filters * attributes.planes) {
    finding("accepts a shape of packed weights that is not what it reads");
  }
}

}  // namespace
}  // namespace bdnet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bdnet::fuzz::Reader reader(data, size);
  if (reader.pick(0, 1) == 0) {
    bdnet::fuzz::check_planes(reader);
  } else {
    bdnet::fuzz::check_shape(reader);
  }
  return 0;
}
