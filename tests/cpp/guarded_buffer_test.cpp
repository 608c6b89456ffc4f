// That the guards of the other tests catch a kernel that leaves its buffers.

#include "guarded_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "kernel_runs.h"

namespace {

using bdnet::PoolGeometry;

TEST(GuardedBufferDeathTest, EndsWhereItSays) {
  const GuardedBuffer<float> buffer({1.0f, 2.0f, 3.0f}, Placement::kBeforeGuard);
  const volatile float* data = buffer.data();
  EXPECT_EQ(data[2], 3.0f);
  EXPECT_DEATH(static_cast<void>(data[3]), "");
}

TEST(GuardedBufferDeathTest, BeginsWhereItSays) {
  const GuardedBuffer<float> buffer({1.0f, 2.0f, 3.0f}, Placement::kAfterGuard);
  const volatile float* data = buffer.data();
  EXPECT_EQ(data[0], 1.0f);
  EXPECT_DEATH(static_cast<void>(data[-1]), "");
}

TEST(GuardedBufferDeathTest, CacheLinesReachTheGuards) {
  const GuardedCacheLines before(65, Placement::kBeforeGuard);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(before.data()) % 64, 0u);
  EXPECT_DEATH(*static_cast<volatile std::byte*>(before.data() + 128) = std::byte{1}, "");
  const GuardedCacheLines after(65, Placement::kAfterGuard);
  EXPECT_DEATH(*static_cast<volatile std::byte*>(after.data() - 1) = std::byte{1}, "");
}

TEST(GuardedBuffer, BeginsOneElementBehindACacheLine) {
  const GuardedBuffer<float> floats(16, Placement::kUnaligned);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(floats.data()) % 64, sizeof(float));
  const GuardedBuffer<std::byte> bytes(16, Placement::kUnaligned);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, alignof(bdnet::Sign));
}

class GuardsDeathTest : public testing::TestWithParam<const bdnet::Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, GuardsDeathTest, every_isa(), isa_of);

// A kernel that is told of more than there is, at either end.
TEST_P(GuardsDeathTest, StopAKernel) {
  PoolGeometry geometry;
  ASSERT_TRUE(bdnet::make_pool_geometry({1, 1}, {1, 1, 3, 16}, &geometry).ok());
  const GuardedBuffer<float> y(48, Placement::kBeforeGuard);
  const GuardedBuffer<float> short_x(47, Placement::kBeforeGuard);
  EXPECT_DEATH(GetParam()->ordered_average_pool_rows(geometry, short_x.data(), y.data(), 0, 1), "");
  const GuardedBuffer<float> late_x(48, Placement::kAfterGuard);
  EXPECT_DEATH(GetParam()->ordered_average_pool_rows(geometry, late_x.data() - 1, y.data(), 0, 1),
               "");
  const GuardedBuffer<float> short_y(47, Placement::kBeforeGuard);
  EXPECT_DEATH(GetParam()->ordered_average_pool_rows(geometry, late_x.data(), short_y.data(), 0, 1),
               "");
}

}  // namespace
