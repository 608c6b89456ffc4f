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

namespace {

// [filters, bits], as -1, 0 and +1.
std::vector<Sign> unpack(const ConstantTensor& packed, std::int64_t filters, std::int64_t bits,
                         int planes) {
  const std::int64_t bytes = packed_bytes(bits);
  const auto* plane0 = static_cast<const std::uint8_t*>(packed.data);
  const auto* plane1 = plane0 + filters * bytes;
  std::vector<Sign> weights(static_cast<std::size_t>(filters * bits));
  for (std::int64_t m = 0; m < filters; ++m) {
    Sign* filter = weights.data() + m * bits;
    if (planes == 1) {
      unpack_binary(plane0 + m * bytes, bits, filter);
    } else {
      unpack_ternary(plane0 + m * bytes, plane1 + m * bytes, bits, filter);
    }
  }
  return weights;
}

}  // namespace

AlignedBytes load_packed_weights(const ConstantTensor& packed, const ConvAttributes& attributes,
                                 std::int64_t filters) {
  const std::vector<Sign> weights =
      unpack(packed, filters, attributes.filter_size(), attributes.planes);
  const Kernels& kernels = active_kernels();
  AlignedBytes tiled(kernels.tiled_bytes(attributes, filters));
  kernels.tile_sign_filters(attributes, filters, weights.data(), tiled.data());
  return tiled;
}

AlignedBytes load_packed_weights(const ConstantTensor& packed, const SignLinear& linear) {
  const std::vector<Sign> weights = unpack(packed, linear.outputs, linear.inputs, linear.planes);
  const Kernels& kernels = active_kernels();
  AlignedBytes tiled(kernels.linear_weight_bytes(linear));
  kernels.tile_linear_weights(linear, weights.data(), tiled.data());
  return tiled;
}

}  // namespace bdnet::ort
