#include <cstdlib>

#include "bdnet/dispatch.h"

// A file of its own: the fuzz targets link another in its place, which changes tables within one
// process.
namespace bdnet {

const Selection& active_selection() {
  static const Selection selection = select_kernels(std::getenv("BDNET_ISA"), available_kernels());
  return selection;
}

}  // namespace bdnet
