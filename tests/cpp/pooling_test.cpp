// The shape of an average pool, and what is refused before a kernel sees it.

#include "bdnet/pooling.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using bdnet::PoolGeometry;

TEST(PoolGeometry, KeepsSmallerTilesAtTheEdges) {
  PoolGeometry geometry;
  ASSERT_TRUE(bdnet::make_pool_geometry({2, 3}, {5, 7, 9, 4}, &geometry).ok());
  EXPECT_EQ(geometry.output, (bdnet::Shape4{5, 4, 3, 4}));
  ASSERT_TRUE(bdnet::make_pool_geometry({9, 9}, {0, 7, 9, 4}, &geometry).ok());
  EXPECT_EQ(geometry.output, (bdnet::Shape4{0, 1, 1, 4}));
}

TEST(PoolGeometry, RefusesOtherInputs) {
  PoolGeometry geometry;
  EXPECT_EQ(bdnet::make_pool_geometry({2, 2}, {7, 9, 4}, &geometry).message(),
            "the input has rank 3, expected 4 (batch, height, width, channels)");
  EXPECT_FALSE(bdnet::make_pool_geometry({2, 2}, {1, 0, 9, 4}, &geometry).ok());
}

TEST(PoolKernel, IsPositiveAndCountable) {
  EXPECT_TRUE(bdnet::check_pool_kernel({1, 1}).ok());
  EXPECT_TRUE(bdnet::check_pool_kernel({4096, 4096}).ok());
  EXPECT_EQ(bdnet::check_pool_kernel({4096, 4097}).message(),
            "attribute 'kernel_shape' is 4096x4097, expected at most 2^24 taps");
  EXPECT_EQ(bdnet::check_pool_kernel({0, 2}).message(),
            "attribute 'kernel_shape' has the value 0, expected 1 to 2147483647");
}

}  // namespace
