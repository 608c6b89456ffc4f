#include "bdnet/dispatch.h"

#include <cstdlib>

namespace bdnet {
namespace {

// Compiled for the baseline of the architecture: this file runs on every processor.
std::vector<const Kernels*> find_available_kernels() {
  std::vector<const Kernels*> found;
  // These ask the operating system too: without its support for the wider registers they are not
  // there.
#ifdef BDNET_HAS_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vpopcntdq")) {
    found.push_back(&avx512_kernels());
  }
#endif
#ifdef BDNET_HAS_AVX2
  if (__builtin_cpu_supports("avx2")) found.push_back(&avx2_kernels());
#endif
#ifdef BDNET_HAS_NEON
  found.push_back(&neon_kernels());
#endif
  found.push_back(&reference_kernels());
  return found;
}

std::string why_fastest(const Kernels& kernels) {
#ifdef BDNET_HAS_AVX512
  if (&kernels == &avx512_kernels()) return "chosen: the processor has AVX-512 with VPOPCNTDQ";
#endif
#ifdef BDNET_HAS_AVX2
  if (&kernels == &avx2_kernels()) return "chosen: the processor has AVX2";
#endif
#ifdef BDNET_HAS_NEON
  if (&kernels == &neon_kernels()) return "chosen: every 64-bit ARM processor has NEON";
#endif
  static_cast<void>(kernels);
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

const Selection& active_selection() {
  static const Selection selection = select_kernels(std::getenv("BDNET_ISA"), available_kernels());
  return selection;
}

}  // namespace bdnet
