"""Bi-Real-Net-18: ResNet-18 in binary 3x3 convolutions, each with a shortcut of its own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from bdnet.layers import BinaryConv2d, Shortcut
from bdnet.models.arguments import integers, require_positive, scaled
from bdnet.models.base import Network
from bdnet.units import Head, SignUnit, Stem

# Channels of each stage, as multiples of the stem's 64.
_MULTIPLES = (1, 2, 4, 8)
_STRIDES = (1, 2, 2, 2)
_STEM = 64
_UNITS_A_STAGE = 4


class DownsamplingUnit(nn.Module):
    """A binary 3x3 convolution whose shortcut changes shape: an average, a float 1x1, BN.

    y = BN(conv(sign(x))) + BN(conv1x1(average(x))): the one float convolution between signs, which
    ends a region of exact equality and begins another.

    Shapes: x [N, C, H, W] -> [N, M, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        conv = BinaryConv2d(in_channels, out_channels, 3, stride, 1)
        self.unit = SignUnit(conv, residual="none", activation="none")
        self.downsample = nn.Sequential(
            Shortcut(in_channels, in_channels, stride),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.unit(x) + self.downsample(x)  # type: ignore[no-any-return]


class BiRealNet18(Network):
    """Bi-Real-Net-18 as published (Liu et al., Bi-Real Net, ECCV 2018).

    A float 7x7 stem of 64 channels and a 3x3 max-pool; four stages of four binary 3x3
    convolutions, each with a post-BN residual and no activation but the next one's sign; where a
    stage begins with another shape its shortcut is a 2x2 average, a float 1x1 convolution and BN;
    average pooling and a float classifier. There is neither a learned shift nor RPReLU.

    The magnitude of the latent weights enters as `SignConv2d`'s scale, mean|w| of each filter;
    the optimiser gets no gradient through it.

    Args:
        width: multiplies the stem's 64 channels, in multiples of 8; the stages' follow from it.
        stem_stride, pool: the stem's stride and whether the max-pool, of stride 2, follows it.
        strides: of the four stages; the default is for images of about 224 x 224. For 28 x 28
            take ``pool=False``.

    Shapes: image [N, in_channels, H, W] float32, normalised -> logits [N, num_classes].
    """

    def __init__(
        self,
        width: float = 1.0,
        num_classes: int = 1000,
        in_channels: int = 3,
        stem_stride: int = 2,
        pool: bool = True,
        strides: Sequence[int] | None = None,
    ) -> None:
        strides = integers("strides", strides, _STRIDES, of="stage")
        require_positive(
            width=width,
            num_classes=num_classes,
            in_channels=in_channels,
            stem_stride=stem_stride,
        )
        c = first = scaled(_STEM, width)
        stem: nn.Module = Stem(in_channels, first, stem_stride, kernel_size=7)
        if pool:
            stem = nn.Sequential(stem, nn.MaxPool2d(3, 2, padding=1))
        units: list[nn.Module] = []
        for multiple, stage_stride in zip(_MULTIPLES, strides, strict=True):
            m = multiple * first
            for index in range(_UNITS_A_STAGE):
                stride = stage_stride if index == 0 else 1
                if (c, stride) == (m, 1):
                    units.append(SignUnit(BinaryConv2d(c, m, 3, 1, 1), "post_bn", "none"))
                else:
                    units.append(DownsamplingUnit(c, m, stride))
                c = m
        super().__init__(
            stem,
            nn.Sequential(*units),
            Head(c, num_classes),
            config={
                "width": width,
                "num_classes": num_classes,
                "in_channels": in_channels,
                "stem_stride": stem_stride,
                "pool": pool,
                "strides": strides,
            },
        )
