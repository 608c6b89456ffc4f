#include "library_info_op.h"

#include <cstdint>
#include <string>

#include "bdnet/dispatch.h"
#include "failure.h"

namespace bdnet::ort {

void LibraryInfo::compute(OrtKernelContext* context) const {
  const Selection& selection = active_selection();
  const std::string text = std::string("{\"version\": \"") + BDNET_VERSION + "\", \"isa\": \"" +
                           selection.kernels->isa + "\", \"reason\": \"" + selection.reason + "\"}";
  const std::int64_t size = 1;
  OrtValue* value = nullptr;
  check(api_, api_.KernelContext_GetOutput(context, 0, &size, 1, &value));
  const char* strings[] = {text.c_str()};
  check(api_, api_.FillStringTensor(value, strings, 1));
}

}  // namespace bdnet::ort
