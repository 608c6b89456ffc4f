"""MobileNet V2 with broadcast residuals across its expansions and projections."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from bdnet.layers import ActivationName, SignConv2d
from bdnet.models.arguments import Weights, convolution, integers, require_positive, scaled
from bdnet.models.base import Network
from bdnet.units import Head, Residual, SignUnit, Stem

# Sandler et al., MobileNet V2, 2018, table 2: t, c, n and s of each stage.
_EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
_CHANNELS = (16, 24, 32, 64, 96, 160, 320)
_REPEATS = (1, 2, 3, 4, 3, 3, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_STEM, _LAST = 32, 1280


class InvertedResidual(nn.Module):
    """Expansion, depth-wise, projection: [N, C, H, W] -> [N, M, ceil(H / s), ceil(W / s)].

    Args:
        expand: None where the depth-wise unit reads the block's input itself.
        skip: adds the block's input to its output, whose shape must be the same.
    """

    def __init__(
        self, expand: SignUnit | None, depthwise: SignUnit, project: SignUnit, skip: bool
    ) -> None:
        super().__init__()
        self.expand = expand
        self.depthwise = depthwise
        self.project = project
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.depthwise(x if self.expand is None else self.expand(x))
        y = self.project(y)
        return y + x if self.skip else y


class BDMobileNetV2(Network):
    """MobileNet V2 (Sandler et al., 2018), binarised as BD-Net binarises V1 (Kim et al., 2026).

    A float 3x3 stem; seventeen inverted residual blocks, each a binary 1x1 expansion to six times
    the channels, a 1.58-bit 3x3 depth-wise and a binary 1x1 projection; a binary 1x1 unit to 1280
    channels; average pooling; a float classifier.

    BD-Net carries its pre-BN residual over to such networks, whose layers change the number of
    channels, by **broadcast residuals**. The paper's definition was not at hand; these are our
    choices (`bdnet.layers.Shortcut`):

    - an expansion's shortcut repeats the channels, a projection's averages those that fall
      together, in the same arrangement, so that the shortcuts of a block are together the
      identity (up to the normalisations between);
    - MobileNet V2's own residual, around a block of stride 1 that keeps its channels, stays;
    - a projection has no activation (the paper's linear bottleneck); the other units have one.

    All channels, those of the last unit too, are multiplied by ``width``, in multiples of 8.

    Args:
        width: multiplies every number of channels.
        depthwise, pointwise: "ternary" (1.58-bit) or "binary" weights. With "float" for both it is
            the float twin (`bdnet.layers.FloatConv2d`), to compare with and to learn from.
        residual: "pre_bn" (BD-Net), "post_bn" or "none"; around every unit of the body.
        activation: after each unit but the projections: "rprelu", "prelu", "relu" or "none".
        learned_shift: a learned shift before each sign.
        stem_stride, strides: the stem's stride and that of the first block of each of the seven
            stages; the default is for images of about 224 x 224. For 28 x 28 take
            ``strides=(1, 1, 2, 2, 1, 1, 1)``.
        repeats: blocks of each of the seven stages.

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
        repeats: Sequence[int] | None = None,
    ) -> None:
        strides = integers("strides", strides, _STRIDES, of="stage")
        repeats = integers("repeats", repeats, _REPEATS, of="stage")
        require_positive(
            width=width,
            num_classes=num_classes,
            in_channels=in_channels,
            stem_stride=stem_stride,
        )
        depthwise_conv = convolution("depthwise", depthwise)
        pointwise_conv = convolution("pointwise", pointwise)

        def unit(conv: SignConv2d, activation: ActivationName) -> SignUnit:
            return SignUnit(conv, residual, activation)

        def point(c: int, m: int, activation: ActivationName) -> SignUnit:
            return unit(pointwise_conv(c, m, 1, learned_shift=learned_shift), activation)

        def block(c: int, m: int, stride: int, expansion: int) -> InvertedResidual:
            hidden = expansion * c
            conv = depthwise_conv(
                hidden, hidden, 3, stride, 1, groups=hidden, learned_shift=learned_shift
            )
            return InvertedResidual(
                None if expansion == 1 else point(c, hidden, activation),
                unit(conv, activation),
                point(hidden, m, "none"),
                skip=stride == 1 and c == m,
            )

        body: list[nn.Module] = []
        c = first = scaled(_STEM, width)
        for expansion, channels, count, stride in zip(
            _EXPANSIONS, _CHANNELS, repeats, strides, strict=True
        ):
            m = scaled(channels, width)
            for index in range(count):
                body.append(block(c, m, stride if index == 0 else 1, expansion))
                c = m
        last = scaled(_LAST, width)
        body.append(point(c, last, activation))
        super().__init__(
            Stem(in_channels, first, stem_stride),
            nn.Sequential(*body),
            Head(last, num_classes),
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
                "repeats": repeats,
            },
        )
