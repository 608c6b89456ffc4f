#include "pixmap.h"

#include <fstream>
#include <limits>
#include <stdexcept>

namespace {

// Larger ones are no images for a network, and their bytes could be too many to count.
constexpr std::int64_t kMostPixelsOfSide = 1 << 15;

// The next number of the header; lines that begin with # are comments. -1 where there is none.
std::int64_t next_number(std::istream& file) {
  while ((file >> std::ws).peek() == '#') {
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  std::int64_t number = -1;
  return file >> number ? number : -1;
}

bool is_side(std::int64_t length) { return length >= 1 && length <= kMostPixelsOfSide; }

}  // namespace

Pixmap read_pixmap(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read the image " + path);
  std::string format;
  file >> format;
  if (format != "P6" && format != "P5") {
    throw std::runtime_error(path + " is no binary PPM or PGM; make one, for example with " +
                             "ImageMagick: convert photo.jpg photo.ppm");
  }

  Pixmap image;
  image.channels = format == "P6" ? 3 : 1;
  image.width = next_number(file);
  image.height = next_number(file);
  if (next_number(file) != 255 || !is_side(image.width) || !is_side(image.height)) {
    throw std::runtime_error("the header of " + path + " is not WIDTH HEIGHT 255");
  }
  file.get();  // one white space
  image.bytes.resize(static_cast<std::size_t>(image.height * image.width * image.channels));
  const auto size = static_cast<std::streamsize>(image.bytes.size());
  if (!file.read(reinterpret_cast<char*>(image.bytes.data()), size)) {
    throw std::runtime_error(path + " ends before its last pixel");
  }
  return image;
}
