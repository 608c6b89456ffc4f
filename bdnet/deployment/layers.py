"""Layers in their deployment form: packed weights, each step rounded. All NHWC, float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bdnet import operators
from bdnet.deployment.constants import require_type
from bdnet.layers import (
    BinaryConv2d,
    BinaryLinear,
    RPReLU,
    Shortcut,
    SignConv2d,
    SignLinear,
    TernaryConv2d,
    TernaryLinear,
    average_channels,
)
from bdnet.packing import pack_plane
from bdnet.quantize import binary_plane, ternary_planes, weight_scale


def _packed(latent: Tensor, kind: str) -> Tensor:
    """Weights [M, Cg, kh, kw] in packing v1: uint8 [M, B], or [2, M, B] of ternary ones."""
    if kind == "ternary":
        return torch.stack([pack_plane(plane) for plane in ternary_planes(latent)])
    return pack_plane(binary_plane(latent))


class DeployedConv(nn.Module):
    """A convolution of signs with packed weights: float32 NHWC -> integers as float32 NHWC."""

    weight: Tensor

    def __init__(self, conv: SignConv2d) -> None:
        super().__init__()
        require_type(conv, BinaryConv2d, TernaryConv2d)
        self.kind = conv.kind
        self.register_buffer("weight", _packed(conv.weight.detach(), conv.kind))
        self.kernel_shape = list(conv.kernel_size)
        self.channels = conv.in_channels // conv.groups
        self.strides = list(conv.stride)
        self.pads = list(conv.padding)
        self.dilations = list(conv.dilation)
        self.group = conv.groups
        self.pad_value = conv.pad_value

    def forward(self, x: Tensor) -> Tensor:
        operator = operators.ternary_conv if self.kind == "ternary" else operators.binary_conv
        y: Tensor = operator(
            x,
            self.weight,
            self.kernel_shape,
            self.channels,
            self.strides,
            self.pads,
            self.dilations,
            self.group,
            self.pad_value,
        )
        return y


def _copy(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.detach().clone()


class DeployedSignConv2d(nn.Module):
    """A `bdnet.layers.SignConv2d` without a unit around it, each step rounded.

    c = conv(sign(x + shift)); t = c * scale; t = t + bias.

    Shapes: [N, H, W, C] -> [N, Ho, Wo, M]; constants float32 [M], ``shift`` [C], None where the
    layer has none.
    """

    shift: Tensor | None
    scale: Tensor | None
    bias: Tensor | None

    def __init__(self, conv: SignConv2d) -> None:
        super().__init__()
        self.conv = DeployedConv(conv)
        self.register_buffer("shift", _copy(conv.shift))
        self.register_buffer("scale", weight_scale(conv.weight) if conv.scale else None)
        self.register_buffer("bias", _copy(conv.bias))

    def forward(self, x: Tensor) -> Tensor:
        t: Tensor = self.conv(x if self.shift is None else x + self.shift)
        if self.scale is not None:
            t = t * self.scale
        return t if self.bias is None else t + self.bias


class DeployedSignLinear(nn.Module):
    """A `bdnet.layers.SignLinear`: c = linear(sign(x + shift)); t = c * scale; t = t + bias.

    Shapes: [..., C] -> [..., M]; constants float32 [M], ``shift`` [C], None where the layer has
    none.
    """

    weight: Tensor
    shift: Tensor | None
    scale: Tensor | None
    bias: Tensor | None

    def __init__(self, linear: SignLinear) -> None:
        super().__init__()
        require_type(linear, BinaryLinear, TernaryLinear)
        self.kind = linear.kind
        self.channels = linear.in_features
        latent = linear.weight.detach()
        self.register_buffer("weight", _packed(latent[:, :, None, None], linear.kind))
        self.register_buffer("shift", _copy(linear.shift))
        self.register_buffer("scale", weight_scale(latent) if linear.scale else None)
        self.register_buffer("bias", _copy(linear.bias))

    def forward(self, x: Tensor) -> Tensor:
        operator = operators.ternary_linear if self.kind == "ternary" else operators.binary_linear
        t: Tensor = operator(
            x if self.shift is None else x + self.shift, self.weight, self.channels
        )
        if self.scale is not None:
            t = t * self.scale
        return t if self.bias is None else t + self.bias


class DeployedShortcut(nn.Module):
    """`bdnet.layers.Shortcut` in NHWC, its averages summed in the contract's order."""

    def __init__(self, shortcut: Shortcut) -> None:
        super().__init__()
        self.window = list(shortcut.stride)
        self.copies = -(-shortcut.out_channels // shortcut.in_channels)
        self.out_channels = shortcut.out_channels
        self.average = shortcut.out_channels < shortcut.in_channels
        self.cut = not self.average and shortcut.out_channels % shortcut.in_channels != 0

    def forward(self, x: Tensor) -> Tensor:
        if self.window != [1, 1]:
            x = operators.ordered_average_pool(x, self.window)
        if self.average:
            return average_channels(x, self.out_channels, dim=3)
        if self.copies > 1:
            x = torch.cat([x] * self.copies, dim=3)
        return x[..., : self.out_channels] if self.cut else x


class DeployedPReLU(nn.Module):
    """t = t + shift_in; t = t * slope where t < 0; t = t + shift_out. A plain PReLU has no shifts.

    Constants are float32 [C].
    """

    slope: Tensor

    def __init__(
        self, slope: Tensor, shift_in: Tensor | None = None, shift_out: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("slope", slope.detach().clone())
        self.shift_in: Tensor | None
        self.shift_out: Tensor | None
        self.register_buffer("shift_in", _copy(shift_in))
        self.register_buffer("shift_out", _copy(shift_out))

    def forward(self, t: Tensor) -> Tensor:
        if self.shift_in is not None:
            t = t + self.shift_in
        t = operators.channel_prelu(t, self.slope)
        if self.shift_out is not None:
            t = t + self.shift_out
        return t


class DeployedReLU(nn.Module):
    """0 where t < 0, else t. Spelt so because libraries differ in what max(NaN, 0) is."""

    def forward(self, t: Tensor) -> Tensor:
        return torch.where(t < 0, 0.0, t)


def deploy_activation(activation: nn.Module, channels: int) -> nn.Module:
    require_type(activation, RPReLU, nn.PReLU, nn.ReLU, nn.Identity)
    if isinstance(activation, RPReLU):
        return DeployedPReLU(activation.slope, activation.shift_in, activation.shift_out)
    if isinstance(activation, nn.PReLU):
        return DeployedPReLU(activation.weight.expand(channels))
    if isinstance(activation, nn.ReLU):
        return DeployedReLU()
    return nn.Identity()
