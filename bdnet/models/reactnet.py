"""ReActNet-A: MobileNet V1's shape in binary 3x3 and 1x1 convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bdnet.layers import BinaryConv2d
from bdnet.models.arguments import integers, require_positive, scaled
from bdnet.models.base import Network
from bdnet.units import Head, SignUnit, Stem

# Channels that leave each block, as multiples of the stem's 32.
_MULTIPLES = (2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32)
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
_STEM = 32


def _unit(channels: int, kernel: int, stride: int) -> SignUnit:
    conv = BinaryConv2d(channels, channels, kernel, stride, kernel // 2, learned_shift=True)
    return SignUnit(conv, "post_bn", "rprelu")


class ReActBlock(nn.Module):
    """A 3x3 unit, then a 1x1 unit, or several side by side: [N, C, H, W] -> [N, M, Ho, Wo].

    The 1x1 units read the same input and their outputs are concatenated, so that each has a
    shortcut although the channels double (Liu et al., ReActNet, 2020, figure 3).

    Args:
        duplicates: M / C, how many 1x1 units there are.
    """

    def __init__(self, channels: int, duplicates: int, stride: int) -> None:
        super().__init__()
        self.spatial = _unit(channels, 3, stride)
        self.pointwise = nn.ModuleList(_unit(channels, 1, 1) for _ in range(duplicates))

    def forward(self, x: Tensor) -> Tensor:
        x = self.spatial(x)
        return torch.cat([unit(x) for unit in self.pointwise], 1)


class ReActNetA(Network):
    """ReActNet-A as published (Liu et al., ReActNet, ECCV 2020).

    A float 3x3 stem of 32 channels; thirteen blocks of a binary 3x3 and a binary 1x1 convolution,
    each with RSign in front, a post-BN residual and RPReLU behind; a stride of 2 is averaged over
    in the shortcut; where channels double there are two 1x1 convolutions, concatenated; average
    pooling and a float classifier.

    One thing is more than published: each of two 1x1 convolutions side by side has an RSign of
    its own, where the authors' pair shares one. Published weights fit in by giving both the same
    shift.

    Args:
        width: multiplies the stem's 32 channels, in multiples of 8; the blocks' follow from it.
        stem_stride, strides: the stem's stride and the thirteen blocks'; the default is for
            images of about 224 x 224. For 28 x 28 take ``strides`` with fewer of 2.

    Shapes: image [N, in_channels, H, W] float32, normalised -> logits [N, num_classes].
    """

    def __init__(
        self,
        width: float = 1.0,
        num_classes: int = 1000,
        in_channels: int = 3,
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
        blocks = []
        c = first = scaled(_STEM, width)
        for multiple, stride in zip(_MULTIPLES, strides, strict=True):
            m = multiple * first
            blocks.append(ReActBlock(c, m // c, stride))
            c = m
        super().__init__(
            Stem(in_channels, first, stem_stride),
            nn.Sequential(*blocks),
            Head(c, num_classes),
            config={
                "width": width,
                "num_classes": num_classes,
                "in_channels": in_channels,
                "stem_stride": stem_stride,
                "strides": strides,
            },
        )
