"""The unit a BD-Net is made of: a convolution of signs, its residual, normalisation, activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from bdnet.errors import InputError
from bdnet.layers import ActivationName, Shortcut, SignConv2d, make_activation

Residual = Literal["pre_bn", "post_bn", "none"]


def require_residual_fits(unit: str, made: Sequence[int], across: Sequence[int]) -> None:
    """Refuses to add a shortcut of another size, which PyTorch would repeat or refuse obscurely.

    Args:
        unit: what it is, or its path, for the message.
        made: height and width of what the unit's convolution makes.
        across: height and width of its shortcut.
    """
    if tuple(made) != tuple(across):
        raise InputError(
            f"the residual of {unit} does not fit: its convolution makes {made[0]} x {made[1]} "
            f"pixels and its shortcut brings {across[0]} x {across[1]}; pad the convolution by "
            "dilation * (kernel_size - 1) pixels along each axis, both sides together, or use "
            "residual='none'"
        )


class SignUnit(nn.Module):
    """One convolution of signs with all that follows it.

    residual="pre_bn":  y = activation(BN(conv(sign(x)) + shortcut(x)))     BD-Net
    residual="post_bn": y = activation(BN(conv(sign(x))) + shortcut(x))     Bi-Real Net, ReActNet
    residual="none":    y = activation(BN(conv(sign(x))))

    A pre-BN residual is normalised together with the sum it joins. Kim et al. (BD-Net, 2026) claim
    that this keeps the loss better conditioned; docs/method.md looks into it.

    Shapes: x [N, C, H, W] -> [N, M, Ho, Wo], where a residual asks for Ho = ceil(H / stride).

    Raises:
        InputError: the residual does not fit, in ``forward``: whether it does can depend on H
            and W.
    """

    def __init__(
        self,
        conv: SignConv2d,
        residual: Residual = "pre_bn",
        activation: ActivationName = "rprelu",
    ) -> None:
        super().__init__()
        if residual not in get_args(Residual):
            raise InputError(f"residual is {residual!r}; it must be 'pre_bn', 'post_bn' or 'none'")
        self.conv = conv
        self.residual: Residual = residual
        self.shortcut = (
            None
            if residual == "none"
            else Shortcut(conv.in_channels, conv.out_channels, conv.stride)
        )
        self.bn = nn.BatchNorm2d(conv.out_channels)
        self.activation = make_activation(activation, conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.shortcut is not None and self.residual == "pre_bn":
            y = self._join(y, x)
        y = self.bn(y)
        if self.shortcut is not None and self.residual == "post_bn":
            y = self._join(y, x)
        return self.activation(y)  # type: ignore[no-any-return]

    def _join(self, y: Tensor, x: Tensor) -> Tensor:
        assert self.shortcut is not None
        across: Tensor = self.shortcut(x)
        require_residual_fits(f"a SignUnit of {self.conv}", y.shape[2:], across.shape[2:])
        return y + across


class SeparableBlock(nn.Module):
    """A depth-wise unit and the point-wise unit behind it: MobileNet's block, in signs."""

    def __init__(self, depthwise: SignUnit, pointwise: SignUnit) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))  # type: ignore[no-any-return]


class Stem(nn.Module):
    """The float convolution that reads the image: k x k with padding k // 2, no bias, then BN.

    Shapes: image [N, C, H, W] -> [N, M, ceil(H / stride), ceil(W / stride)] for odd k.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 2, kernel_size: int = 3
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, image: Tensor) -> Tensor:
        return self.bn(self.conv(image))  # type: ignore[no-any-return]


class Head(nn.Module):
    """Global average pooling and a float classifier: [N, C, H, W] -> logits [N, classes]."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.classifier(features.mean((2, 3)))  # type: ignore[no-any-return]
