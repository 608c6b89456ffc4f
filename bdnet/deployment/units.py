"""Units in their deployment form, and the float stem and head around them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from bdnet import operators
from bdnet.deployment.constants import fold_bn, require_type
from bdnet.deployment.layers import DeployedConv, DeployedShortcut, deploy_activation
from bdnet.errors import InputError
from bdnet.quantize import weight_scale
from bdnet.units import Head, Residual, SeparableBlock, SignUnit, Stem, require_residual_fits


class DeployedUnit(nn.Module):
    """`bdnet.units.SignUnit` by the numerical contract: each step rounded, in this order.

    c = conv(sign(x + shift)); t = c * scale; t = t + shortcut(x); t = t * bn_mul;
    t = t + bn_add; activation. A post-BN residual is added after bn_add instead. A bias of the
    convolution is part of bn_add, since nothing but sums stands between the two.

    Shapes: [N, H, W, C] -> [N, Ho, Wo, M]; constants float32 [M], ``shift`` [C].

    Args:
        path: of the unit in its network, for messages.
    """

    bn_mul: Tensor
    bn_add: Tensor

    def __init__(self, unit: SignUnit, path: str = "a DeployedUnit") -> None:
        super().__init__()
        self.path = path
        require_type(unit, SignUnit)
        conv = unit.conv
        self.conv = DeployedConv(conv)
        self.shift: Tensor | None
        self.scale: Tensor | None
        shift = None if conv.shift is None else conv.shift.detach().clone()
        self.register_buffer("shift", shift)
        self.register_buffer("scale", weight_scale(conv.weight) if conv.scale else None)
        self.residual: Residual = unit.residual
        self.shortcut = None if unit.shortcut is None else DeployedShortcut(unit.shortcut)
        bn_mul, bn_add = fold_bn(unit.bn, conv.bias)
        self.register_buffer("bn_mul", bn_mul)
        self.register_buffer("bn_add", bn_add)
        self.activation = deploy_activation(unit.activation, conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        t: Tensor = self.conv(x if self.shift is None else x + self.shift)
        if self.scale is not None:
            t = t * self.scale
        if self.shortcut is not None and self.residual == "pre_bn":
            t = self._join(t, x)
        t = t * self.bn_mul
        t = t + self.bn_add
        if self.shortcut is not None and self.residual == "post_bn":
            t = self._join(t, x)
        return self.activation(t)  # type: ignore[no-any-return]

    def _join(self, t: Tensor, x: Tensor) -> Tensor:
        assert self.shortcut is not None
        across: Tensor = self.shortcut(x)
        require_residual_fits(self.path, t.shape[1:3], across.shape[1:3])
        return t + across


class DeployedBlock(nn.Module):
    """`bdnet.units.SeparableBlock` in its deployment form."""

    def __init__(self, block: SeparableBlock, path: str = "a DeployedBlock") -> None:
        super().__init__()
        require_type(block, SeparableBlock)
        self.depthwise = DeployedUnit(block.depthwise, f"{path}.depthwise")
        self.pointwise = DeployedUnit(block.pointwise, f"{path}.pointwise")

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))  # type: ignore[no-any-return]


class DeployedStem(nn.Module):
    """`bdnet.units.Stem` with an ordered sum: image [N, C, H, W] -> [N, Ho, Wo, M]."""

    weight: Tensor
    bn_mul: Tensor
    bn_add: Tensor

    def __init__(self, stem: Stem) -> None:
        super().__init__()
        require_type(stem, Stem)
        conv = stem.conv
        if (
            conv.groups != 1
            or conv.bias is not None
            or isinstance(conv.padding, str)
            or conv.padding_mode != "zeros"
        ):
            raise InputError(
                "the stem's convolution has groups, a bias, a padding by name or a padding that "
                "is not zero; use bdnet.units.Stem as it is"
            )
        taps = conv.weight.detach().permute(2, 3, 1, 0)
        self.register_buffer("weight", taps.clone(memory_format=torch.contiguous_format))
        self.strides = list(conv.stride)
        self.pads = [*conv.padding, *conv.padding]
        self.dilations = list(conv.dilation)
        bn_mul, bn_add = fold_bn(stem.bn)
        self.register_buffer("bn_mul", bn_mul)
        self.register_buffer("bn_add", bn_add)

    def forward(self, image: Tensor) -> Tensor:
        x = image.permute(0, 2, 3, 1)
        t: Tensor = operators.ordered_conv(x, self.weight, self.strides, self.pads, self.dilations)
        t = t * self.bn_mul
        return t + self.bn_add


class DeployedHead(nn.Module):
    """`bdnet.units.Head` behind an NHWC body: in float, with a tolerance and not equality."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        require_type(head, Head)
        self.classifier = copy.deepcopy(head.classifier).requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        # Columns first, then rows: ONNX Runtime's mean over both at once takes six times as long.
        return self.classifier(features.mean(2).mean(1))  # type: ignore[no-any-return]
