#pragma once

#include <cstdint>
#include <string>
#include <vector>

// An image of bytes: [height, width, channels], as files and cameras have it.
struct Pixmap {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::vector<std::uint8_t> bytes;
};

// Reads a binary PPM (P6, three channels) or PGM (P5, one) with values from 0 to 255. Throws
// std::runtime_error with one sentence where the file is none.
Pixmap read_pixmap(const std::string& path);
