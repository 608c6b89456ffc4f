#include "packed_weights.h"

#include <string>
#include <vector>

#include "bdnet/dispatch.h"
#include "bdnet/packing.h"

namespace bdnet::ort {

Status check_packing_version(std::int64_t version) {
  if (version == kPackingVersion) return Status();
  return Status::failure("attribute 'packing_version' has the value " + std::to_string(version) +
                         ", expected " + std::to_string(kPackingVersion) +
                         "; export the model again, or install the bdnet that it was made with");
}

AlignedBytes load_packed_weights(const ConstantTensor& packed, const ConvAttributes& attributes,
                                 std::int64_t filters) {
  const std::int64_t bits = attributes.filter_size();
  const std::int64_t bytes = packed_bytes(bits);
  const auto* plane0 = static_cast<const std::uint8_t*>(packed.data);
  const auto* plane1 = plane0 + filters * bytes;
  std::vector<Sign> weights(static_cast<std::size_t>(filters * bits));
  for (std::int64_t m = 0; m < filters; ++m) {
    Sign* filter = weights.data() + m * bits;
    if (attributes.planes == 1) {
      unpack_binary(plane0 + m * bytes, bits, filter);
    } else {
      unpack_ternary(plane0 + m * bytes, plane1 + m * bytes, bits, filter);
    }
  }
  const Kernels& kernels = active_kernels();
  AlignedBytes tiled(kernels.tiled_bytes(attributes, filters));
  kernels.tile_sign_filters(attributes, filters, weights.data(), tiled.data());
  return tiled;
}

}  // namespace bdnet::ort
