#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "bdnet/convolution.h"
#include "bdnet/status.h"

// What the checks of convolutions and pools share.
namespace bdnet {

// Any one dimension, stride, padding or dilation. With it, sums and products of two of them fit
// into 64 bits without further thought.
inline constexpr std::int64_t kMaxDimension = std::numeric_limits<std::int32_t>::max();

// Integers up to this one are floats, and so are their sums if those stay below it.
inline constexpr std::int64_t kMaxExactFloat = std::int64_t{1} << 24;

// "3x3", or "1x224x224x3".
template <typename Numbers>
std::string join_dims(const Numbers& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) {
    text += (text.empty() ? "" : "x") + std::to_string(number);
  }
  return text.empty() ? "none (a scalar)" : text;
}

// Fails unless every number lies in [low, kMaxDimension].
template <std::size_t N>
Status check_range(const char* name, const std::array<std::int64_t, N>& numbers, std::int64_t low) {
  for (const std::int64_t number : numbers) {
    if (number < low || number > kMaxDimension) {
      return Status::failure("attribute '" + std::string(name) + "' has the value " +
                             std::to_string(number) + ", expected " + std::to_string(low) + " to " +
                             std::to_string(kMaxDimension));
    }
  }
  return Status();
}

// Checks that an input has H, W, C >= 1 and N >= 0, and copies its dimensions, channels last.
Status check_input_dims(const std::vector<std::int64_t>& dims, Shape4* shape,
                        Layout layout = Layout::kChannelsLast);

// Whether the product of the factors, none negative, is at most `limit`.
bool product_fits(std::initializer_list<std::int64_t> factors, std::int64_t limit) noexcept;

// Fails if the elements of `shape` could not be addressed as floats.
Status check_addressable(const char* what, const Shape4& shape);

}  // namespace bdnet
