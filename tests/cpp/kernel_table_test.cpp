// What a line of kernels.inc brings with it: for each instruction set its name, and for each kernel
// of each of them the comparison with the reference.

#include <gtest/gtest.h>

#include <cstddef>
#include <iterator>
#include <ostream>
#include <string>
#include <tuple>

#include "kernel_grids.h"
#include "kernel_runs.h"

namespace {

using bdnet::Kernels;

struct Grid {
  const char* kernel;
  void (*compare)(const Kernels&);
};

void PrintTo(const Grid& grid, std::ostream* out) { *out << grid.kernel; }  // GoogleTest's hook

constexpr Grid kGrids[] = {
#define BDNET_KERNEL(name) {#name, compare_##name},
#include "bdnet/kernels.inc"
};

// Besides those there are the name, two ways to arrange weights, and the sizes of five buffers.
static_assert(sizeof(Kernels) == (std::size(kGrids) + 8) * sizeof(void*),
              "a kernel of kernels.h has no line in kernels.inc");

class EveryKernel : public testing::TestWithParam<std::tuple<const Kernels*, Grid>> {};

INSTANTIATE_TEST_SUITE_P(Isa, EveryKernel, testing::Combine(every_isa(), testing::ValuesIn(kGrids)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)->isa) + "_" +
                                  std::get<1>(test.param).kernel;
                         });

TEST_P(EveryKernel, GivesTheBitsOfTheReference) {
  const auto& [kernels, grid] = GetParam();
  grid.compare(*kernels);
}

TEST(KernelTable, IsCalledWhatItsLineSays) {
#define BDNET_INSTRUCTION_SET(name, runs, because) EXPECT_STREQ(bdnet::name##_kernels().isa, #name);
#include "bdnet/kernels.inc"
  EXPECT_STREQ(bdnet::reference_kernels().isa, "reference");
}

}  // namespace
