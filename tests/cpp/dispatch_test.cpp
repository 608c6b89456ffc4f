// Which kernels are chosen, and what is said of a wish that cannot be met.

#include "bdnet/dispatch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using bdnet::Kernels;
using bdnet::Selection;

const std::vector<const Kernels*> kOnlyReference{&bdnet::reference_kernels()};

TEST(Dispatch, TheReferenceIsAlwaysThere) {
  ASSERT_FALSE(bdnet::available_kernels().empty());
  EXPECT_EQ(bdnet::available_kernels().back(), &bdnet::reference_kernels());
}

TEST(Dispatch, TakesTheFastestUnlessAsked) {
  for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
    const Selection selection = bdnet::select_kernels(nothing, bdnet::available_kernels());
    ASSERT_TRUE(selection.status.ok());
    EXPECT_EQ(selection.kernels, bdnet::available_kernels().front());
    EXPECT_EQ(selection.reason.rfind("chosen: ", 0), 0u) << selection.reason;
  }
}

#ifdef __aarch64__
TEST(Dispatch, TakesNeonOnEveryArm64Processor) {
  const Selection selection = bdnet::select_kernels(nullptr, bdnet::available_kernels());
  EXPECT_EQ(selection.kernels, &bdnet::neon_kernels());
  EXPECT_EQ(selection.reason, "chosen: every 64-bit ARM processor has NEON");
}
#endif

TEST(Dispatch, TakesWhatIsAskedFor) {
  for (const Kernels* kernels : bdnet::available_kernels()) {
    const Selection selection = bdnet::select_kernels(kernels->isa, bdnet::available_kernels());
    ASSERT_TRUE(selection.status.ok());
    EXPECT_EQ(selection.kernels, kernels);
    EXPECT_EQ(selection.reason, "BDNET_ISA asked for it");
  }
}

TEST(Dispatch, RefusesWhatTheProcessorLacks) {
  const Selection selection = bdnet::select_kernels("avx2", kOnlyReference);
  EXPECT_EQ(selection.kernels, nullptr);
  EXPECT_EQ(selection.status.message(),
            "BDNET_ISA is 'avx2', but on this processor bdnet runs reference; set it to one of "
            "these, or unset it to get reference");
  EXPECT_FALSE(bdnet::select_kernels("AVX512", bdnet::available_kernels()).status.ok());
  EXPECT_EQ(bdnet::select_kernels(nullptr, kOnlyReference).reason,
            "chosen: there are no faster kernels for this processor");
}

}  // namespace
