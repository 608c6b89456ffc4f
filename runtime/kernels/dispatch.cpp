#include "bdnet/dispatch.h"

#ifdef __x86_64__
#include "x86_features.h"
#endif

namespace bdnet {
namespace {

// Compiled for the baseline of the architecture: this file runs on every processor.
std::vector<const Kernels*> find_available_kernels() {
  std::vector<const Kernels*> found;
#define BDNET_INSTRUCTION_SET(name, runs, because) \
  if (runs) found.push_back(&name##_kernels());
#include "bdnet/kernels.inc"
  found.push_back(&reference_kernels());
  return found;
}

std::string why_fastest([[maybe_unused]] const Kernels& kernels) {
#define BDNET_INSTRUCTION_SET(name, runs, because) \
  if (&kernels == &name##_kernels()) return "chosen: " because;
#include "bdnet/kernels.inc"
  return "chosen: there are no faster kernels for this processor";
}

std::string names(const std::vector<const Kernels*>& tables) {
  std::string text;
  for (const Kernels* table : tables)
    text += (text.empty() ? "" : " and ") + std::string(table->isa);
  return text;
}

}  // namespace

const std::vector<const Kernels*>& available_kernels() {
  static const std::vector<const Kernels*> available = find_available_kernels();
  return available;
}

Selection select_kernels(const char* isa, const std::vector<const Kernels*>& available) {
  const std::string wanted = isa == nullptr ? "" : isa;
  if (wanted.empty()) return {available.front(), why_fastest(*available.front()), Status()};
  for (const Kernels* table : available) {
    if (table->isa == wanted) return {table, "BDNET_ISA asked for it", Status()};
  }
  return {nullptr, "",
          Status::failure("BDNET_ISA is '" + wanted + "', but on this processor bdnet runs " +
                          names(available) + "; set it to one of these, or unset it to get " +
                          available.front()->isa)};
}

}  // namespace bdnet
