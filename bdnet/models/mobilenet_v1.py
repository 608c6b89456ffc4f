"""MobileNet V1 with binary point-wise and 1.58-bit depth-wise convolutions: BD-Net's own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from bdnet.layers import ActivationName
from bdnet.models.arguments import Weights, convolution, integers, require_positive, scaled
from bdnet.models.base import BDNet
from bdnet.units import Head, Residual, SeparableBlock, SignUnit, Stem

_CHANNELS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


class BDMobileNetV1(BDNet):
    """MobileNet V1 (Howard et al., 2017) as BD-Net binarises it (Kim et al., 2026).

    A float 3x3 stem, thirteen blocks of a 3x3 depth-wise and a 1x1 point-wise unit, average
    pooling, a float classifier. The number of channels is 32 in the stem and 64 to 1024 in the
    blocks, times ``width``, in multiples of 8.

    Args:
        width: multiplies every number of channels.
        depthwise, pointwise: "ternary" (1.58-bit) or "binary" weights. With "float" for both it is
            the float twin (`bdnet.layers.FloatConv2d`), to compare with and to learn from.
        residual: "pre_bn" (BD-Net), "post_bn" or "none"; around every unit of the body.
        activation: after each unit: "rprelu", "prelu", "relu" or "none".
        learned_shift: a learned shift before each sign.
        stem_stride, strides: the stem's stride and the thirteen blocks'; the default is for
            images of about 224 x 224. For 28 x 28 take ``stem_stride=1`` or fewer strides of 2.

    Shapes: image [N, in_channels, H, W] float32, normalised -> logits [N, num_classes].
    """

    def __init__(
        self,
        width: float = 1.0,
        num_classes: int = 1000,
        in_channels: int = 3,
        depthwise: Weights = "ternary",
        pointwise: Weights = "binary",
        residual: Residual = "pre_bn",
        activation: ActivationName = "rprelu",
        learned_shift: bool = True,
        stem_stride: int = 2,
        strides: Sequence[int] | None = None,
    ) -> None:
        strides = integers("strides", strides, _STRIDES, of="block")
        require_positive(
            width=width,
            num_classes=num_classes,
            in_channels=in_channels,
            stem_stride=stem_stride,
        )
        depthwise_conv = convolution("depthwise", depthwise)
        pointwise_conv = convolution("pointwise", pointwise)
        blocks = []
        c = first = scaled(32, width)
        for channels, stride in zip(_CHANNELS, strides, strict=True):
            m = scaled(channels, width)
            blocks.append(
                SeparableBlock(
                    SignUnit(
                        depthwise_conv(c, c, 3, stride, 1, groups=c, learned_shift=learned_shift),
                        residual,
                        activation,
                    ),
                    SignUnit(
                        pointwise_conv(c, m, 1, learned_shift=learned_shift), residual, activation
                    ),
                )
            )
            c = m
        super().__init__(
            Stem(in_channels, first, stem_stride),
            nn.Sequential(*blocks),
            Head(c, num_classes),
            config={
                "width": width,
                "num_classes": num_classes,
                "in_channels": in_channels,
                "depthwise": depthwise,
                "pointwise": pointwise,
                "residual": residual,
                "activation": activation,
                "learned_shift": learned_shift,
                "stem_stride": stem_stride,
                "strides": strides,
            },
        )
