#pragma once

#include <cstddef>
#include <cstdint>

#include "bdnet/convolution.h"
#include "bdnet/packing.h"
#include "bdnet/pooling.h"
#include "bdnet/separable_block.h"
#include "bdnet/sign_linear.h"

namespace bdnet {

// The arithmetic for one kind of processor. All of them give the same bits as the reference.
//
// Tensors are float32 [N, H, W, C], dense. A function computes the rows [begin, end) of its result,
// counted through the whole batch (row r is row r % height of image r / height), so that threads
// can share the work. Functions keep no state, allocate nothing and do not throw; geometries come
// from make_conv_geometry() and make_pool_geometry(), which is where bad input ends.
//
// Buffers of bytes are aligned as for Sign at least; on a cache line they are read fastest.
struct Kernels {
  // The name of the instruction set, as reports show it and BDNET_ISA asks for it.
  const char* isa;

  // Bytes of the weights of a convolution of signs as tile_sign_filters() arranges them. Which form
  // they take, and that of the signs below, is the table's own affair.
  std::int64_t (*tiled_bytes)(const ConvAttributes& attributes, std::int64_t filter_count) noexcept;

  // Arranges those weights once, when a session is created. filters: [filter_count, filter_size] in
  // packing order.
  void (*tile_sign_filters)(const ConvAttributes& attributes, std::int64_t filter_count,
                            const Sign* filters, std::byte* tiled) noexcept;

  // Bytes of the signs of a padded input.
  std::int64_t (*sign_bytes)(const ConvGeometry& geometry) noexcept;

  // The first half of a convolution of signs: x >= 0 ? +1 : -1 (so +1 for -0.0, and -1 for NaN),
  // surrounded by the padding. x: geometry.input. The rows counted are those of the padded input.
  void (*binarise_rows)(const ConvGeometry& geometry, const float* x, std::byte* signs,
                        std::int64_t begin, std::int64_t end) noexcept;

  // The second half: the convolution, which is an integer, as float. y: geometry.output.
  void (*sign_conv_rows)(const ConvGeometry& geometry, const std::byte* signs,
                         const std::byte* tiled, float* y, std::int64_t begin,
                         std::int64_t end) noexcept;

  // Bytes of the weights of a linear layer of signs as tile_linear_weights() arranges them, once.
  // weights: [outputs, inputs].
  std::int64_t (*linear_weight_bytes)(const SignLinear& linear) noexcept;
  void (*tile_linear_weights)(const SignLinear& linear, const Sign* weights,
                              std::byte* tiled) noexcept;

  // Bytes of the signs of its input, [rows, inputs].
  std::int64_t (*linear_sign_bytes)(const SignLinear& linear, std::int64_t rows) noexcept;

  // The first half of the layer, as of a convolution: the signs. x: [rows, inputs].
  void (*binarise_linear_rows)(const SignLinear& linear, const float* x, std::byte* signs,
                               std::int64_t begin, std::int64_t end) noexcept;

  // The second half: integers, as floats. y: [rows, outputs]; what is counted are not rows but the
  // linear_parts() of the outputs, each of all rows.
  void (*sign_linear_parts)(const SignLinear& linear, std::int64_t rows, const std::byte* signs,
                            const std::byte* tiled, float* y, std::int64_t begin,
                            std::int64_t end) noexcept;

  // A convolution of floats with group 1 and zero padding in which every sum has one order: from 0,
  // taps in the order ky, kx, c, each product and each sum rounded. The padding is data: 0 times an
  // infinite weight is NaN. weight: [kh, kw, C, M]; y: geometry.output.
  void (*ordered_conv_rows)(const ConvGeometry& geometry, const float* x, const float* weight,
                            float* y, std::int64_t begin, std::int64_t end) noexcept;

  // The sum of the taps inside the input, row by row from 0, divided by their number: one rounding.
  // (Not multiplied by its inverse: ONNX Runtime rewrites a * (1 / b) as a / b in the operator's
  // body.) y: geometry.output.
  void (*ordered_average_pool_rows)(const PoolGeometry& geometry, const float* x, float* y,
                                    std::int64_t begin, std::int64_t end) noexcept;

  // The stem: ordered_conv_rows() of an image [N, C, H, W] (geometry.input counts it as [N, H, W,
  // C]), then y = y * bn_mul, y = y + bn_add. bn_mul, bn_add: [M].
  void (*ordered_stem_rows)(const ConvGeometry& geometry, const float* image, const float* weight,
                            const float* bn_mul, const float* bn_add, float* y, std::int64_t begin,
                            std::int64_t end) noexcept;

  // Bytes that separable_block_rows() works in; each thread needs its own.
  std::int64_t (*separable_block_scratch_bytes)(const SeparableBlockGeometry& geometry) noexcept;

  // A depth-wise unit and the point-wise unit behind it, row by row: what is between them stays in
  // `scratch`, which is to begin on a cache line. With `resumes`, scratch still holds what a call
  // for the same data left there whose `end` was this `begin`; so what two neighbouring rows share
  // need not be done again.
  void (*separable_block_rows)(const SeparableBlockGeometry& geometry,
                               const SeparableBlockWeights& weights, const float* x, float* y,
                               std::byte* scratch, bool resumes, std::int64_t begin,
                               std::int64_t end) noexcept;
};

// Plain C++17, written from the specification alone: what every other kernel is compared with, and
// what runs where there is none.
const Kernels& reference_kernels() noexcept;

// avx2_kernels() and the like, for the instruction sets of this architecture. Only call what is in
// one where dispatch.h says that it can run.
#define BDNET_INSTRUCTION_SET(name, runs, because) const Kernels& name##_kernels() noexcept;
#include "bdnet/kernels.inc"

}  // namespace bdnet
