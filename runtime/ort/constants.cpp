#include "constants.h"

#include <cmath>
#include <string>

#include "bdnet/separable_block.h"

namespace bdnet::ort {

std::vector<float> load_channel_constant(const Node& node, std::size_t input, const char* name,
                                         std::int64_t channels) {
  node.require_type(input, name, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  const ConstantTensor constant = node.constant(input, name);
  const bool one = constant.dims == std::vector<std::int64_t>{1};
  if (!one && constant.dims != std::vector<std::int64_t>{channels}) {
    std::string found;
    for (const std::int64_t dim : constant.dims) {
      found += (found.empty() ? "" : ", ") + std::to_string(dim);
    }
    node.label().fail(std::string(name) + " has the shape [" + found + "], expected [" +
                      std::to_string(channels) + "] or [1]");
  }
  const std::int64_t tiles = (channels + kConstantTile - 1) / kConstantTile;
  std::vector<float> values(static_cast<std::size_t>(tiles * kConstantTile));
  const auto* data = static_cast<const float*>(constant.data);
  for (std::int64_t i = 0; i < channels; ++i) {
    const float value = data[one ? 0 : i];
    if (!std::isfinite(value)) {
      node.label().fail(
          std::string(name) + " holds " + std::to_string(value) +
          ", expected finite numbers; the training has diverged or the file is damaged");
    }
    values[static_cast<std::size_t>(i)] = value;
  }
  return values;
}

}  // namespace bdnet::ort
