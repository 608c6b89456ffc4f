#pragma once

#include "bdnet/convolution.h"
#include "packed_weights.h"

// What convolutions' nodes say, read in one way when a kernel is created and when shapes are
// inferred. A Source is a Node, which fails with a message, or a ShapeInference, which gives up.
namespace bdnet::ort {

// The attributes of every convolution.
template <typename Source>
ConvAttributes read_conv_attributes(const Source& source) {
  ConvAttributes attributes;
  attributes.strides = source.template integers<2>("strides");
  attributes.pads = source.template integers<4>("pads");
  attributes.dilations = source.template integers<2>("dilations");
  return attributes;
}

// Those of every convolution of signs.
template <typename Source>
ConvAttributes read_sign_conv_attributes(const Source& source) {
  source.require(check_packing_version(source.integer("packing_version")));
  ConvAttributes attributes = read_conv_attributes(source);
  attributes.kernel_shape = source.template integers<2>("kernel_shape");
  attributes.pad_value = source.integer("pad_value");
  return attributes;
}

}  // namespace bdnet::ort
