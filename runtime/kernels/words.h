#pragma once

#include <algorithm>
#include <cstdint>

#include "bdnet/packing.h"
#include "inner_loops.h"

// How bits are counted in words; for the files that are compiled for any processor.
namespace bdnet {

inline std::int64_t round_up(std::int64_t count, std::int64_t multiple) noexcept {
  return (count + multiple - 1) / multiple * multiple;
}

// Words of a filter's tap of so many channels, where one has `word_channels`.
inline std::int64_t count_words(std::int64_t word_channels, std::int64_t channels) noexcept {
  return round_up(channels, std::max<std::int64_t>(8, word_channels)) / word_channels;
}

inline std::int64_t words_of(const InnerLoops& loops, std::int64_t channels) noexcept {
  return count_words(loops.word_channels, channels);
}

// Bytes of codes of one group of one pixel.
inline std::int64_t code_bytes(const InnerLoops& loops, std::int64_t channels) noexcept {
  return words_of(loops, channels) * loops.code_bytes;
}

// The bit of a weight of -1, 0, +1 in a plane: (0, 0), (0, 1), (1, 1), first and last plane.
inline bool bit_in_plane(Sign weight, bool last) noexcept {
  return last ? weight >= 0 : weight > 0;
}

}  // namespace bdnet
