// Packing version 1, against the vectors that Python reads too.

#include "bdnet/packing.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using bdnet::Sign;

struct GoldenFilter {
  std::string line;
  bool written;  // not only read
  std::vector<Sign> weights;
  std::vector<std::vector<std::uint8_t>> planes;
};

std::vector<GoldenFilter> read_golden() {
  std::ifstream file(BDNET_GOLDEN_DIR "/packing_v1.txt");
  std::vector<GoldenFilter> filters;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string type, use, kh, kw, channels, weights, hex;
    words >> type >> use >> kh >> kw >> channels >> weights;
    GoldenFilter filter{line, use == "both", {}, {}};
    for (const char weight : weights) {
      filter.weights.push_back(static_cast<Sign>(weight == '+' ? 1 : weight == '-' ? -1 : 0));
    }
    EXPECT_EQ(std::stoll(kh) * std::stoll(kw) * std::stoll(channels),
              static_cast<std::int64_t>(weights.size()))
        << line;
    while (words >> hex) {
      std::vector<std::uint8_t> plane;
      for (std::size_t i = 0; i < hex.size(); i += 2) {
        plane.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
      }
      filter.planes.push_back(plane);
    }
    EXPECT_EQ(filter.planes.size(), type == "binary" ? 1u : 2u) << line;
    filters.push_back(filter);
  }
  return filters;
}

TEST(Packing, GoldenFileIsThere) { EXPECT_GE(read_golden().size(), 20u); }

TEST(Packing, ReadsTheGoldenFilters) {
  for (const GoldenFilter& filter : read_golden()) {
    SCOPED_TRACE(filter.line);
    const auto bits = static_cast<std::int64_t>(filter.weights.size());
    ASSERT_EQ(static_cast<std::int64_t>(filter.planes[0].size()), bdnet::packed_bytes(bits));
    std::vector<Sign> weights(filter.weights.size());
    if (filter.planes.size() == 1) {
      bdnet::unpack_binary(filter.planes[0].data(), bits, weights.data());
    } else {
      bdnet::unpack_ternary(filter.planes[0].data(), filter.planes[1].data(), bits, weights.data());
    }
    EXPECT_EQ(weights, filter.weights);
  }
}

TEST(Packing, WritesTheGoldenFilters) {
  for (const GoldenFilter& filter : read_golden()) {
    if (!filter.written) continue;
    SCOPED_TRACE(filter.line);
    // A ternary weight and d = 0.5 give the planes sign(w - d) and sign(w + d); a binary one is
    // its own sign.
    const std::vector<float> offsets =
        filter.planes.size() == 1 ? std::vector{0.0f} : std::vector{-0.5f, 0.5f};
    for (std::size_t plane = 0; plane < offsets.size(); ++plane) {
      std::vector<float> latent;
      for (const Sign weight : filter.weights) {
        latent.push_back(static_cast<float>(weight) + offsets[plane]);
      }
      std::vector<std::uint8_t> packed(filter.planes[plane].size(), 0xff);
      bdnet::pack_plane(latent.data(), static_cast<std::int64_t>(latent.size()), packed.data());
      EXPECT_EQ(packed, filter.planes[plane]) << "plane " << plane;
    }
  }
}

TEST(Packing, ZeroIsPositiveAndNanIsNot) {
  const float values[] = {0.0f, -0.0f, std::stof("nan"), 1e-45f, -1e-45f};
  std::uint8_t packed = 0;
  bdnet::pack_plane(values, 5, &packed);
  EXPECT_EQ(packed, 0b01011);
}

}  // namespace
