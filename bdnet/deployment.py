"""The deployment form: a trained network with its constants folded and its weights packed.

It is the exact reference. What leaves its body is what every kernel and the ONNX file's own
standard operators must produce, bit for bit; docs/numerics.md is the contract it follows.
Constants are computed once, here, in float64 from the trained parameters, and rounded to float32
once. Inside, activations are NHWC, as in the exported file.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bdnet import operators
from bdnet.errors import InputError
from bdnet.layers import (
    BinaryConv2d,
    RPReLU,
    Shortcut,
    SignConv2d,
    TernaryConv2d,
    average_channels,
)
from bdnet.models.base import BDNet
from bdnet.packing import pack_plane
from bdnet.quantize import binary_plane, ternary_planes, weight_scale
from bdnet.units import Head, Residual, SeparableBlock, SignUnit, Stem

_PADS = tuple[int, int, int, int]


def _fold_bn(bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """BN as y = x * mul + add: mul = gamma / sqrt(var + eps), add = beta - mean * mul."""
    if bn.running_mean is None or bn.running_var is None:
        raise InputError(
            "a batch normalisation without running statistics cannot be deployed; "
            "train it with track_running_stats=True"
        )
    mul = 1 / torch.sqrt(bn.running_var.detach().double() + bn.eps)
    if bn.affine:
        mul = bn.weight.detach().double() * mul
    add = -bn.running_mean.detach().double() * mul
    if bn.affine:
        add = bn.bias.detach().double() + add
    return mul.float(), add.float()


def _require_type(module: nn.Module, *known: type[nn.Module]) -> None:
    """Refuses what would be deployed as something it is not: a subclass may compute otherwise."""
    if type(module) not in known:
        names = " or ".join(kind.__name__ for kind in known)
        raise InputError(
            f"a {type(module).__name__} has no deployment form; use {names}, not a subclass"
        )


def _require_finite(what: str, module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if tensor.dtype != torch.float32:
            raise InputError(
                f"{name} of {what} is {tensor.dtype}; expected float32: call model.float()"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{name} of {what} is not finite; the training has diverged or the checkpoint is "
                "damaged"
            )


class DeployedConv(nn.Module):
    """A convolution of signs with packed weights: float32 NHWC -> integers as float32 NHWC."""

    weight: Tensor

    def __init__(self, conv: SignConv2d) -> None:
        super().__init__()
        latent = conv.weight.detach()
        _require_type(conv, BinaryConv2d, TernaryConv2d)
        if isinstance(conv, TernaryConv2d):
            packed = torch.stack([pack_plane(plane) for plane in ternary_planes(latent)])
        else:
            packed = pack_plane(binary_plane(latent))
        self.kind = conv.kind
        self.register_buffer("weight", packed)
        self.kernel_shape = list(conv.kernel_size)
        self.channels = conv.in_channels // conv.groups
        self.strides = list(conv.stride)
        top, left = conv.padding
        self.pads = [top, left, top, left]
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
        self.register_buffer("shift_in", None if shift_in is None else shift_in.detach().clone())
        self.register_buffer("shift_out", None if shift_out is None else shift_out.detach().clone())

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


def _deploy_activation(activation: nn.Module, channels: int) -> nn.Module:
    _require_type(activation, RPReLU, nn.PReLU, nn.ReLU, nn.Identity)
    if isinstance(activation, RPReLU):
        return DeployedPReLU(activation.slope, activation.shift_in, activation.shift_out)
    if isinstance(activation, nn.PReLU):
        return DeployedPReLU(activation.weight.expand(channels))
    if isinstance(activation, nn.ReLU):
        return DeployedReLU()
    return nn.Identity()


class DeployedUnit(nn.Module):
    """`bdnet.units.SignUnit` by the numerical contract: each step rounded, in this order.

    c = conv(sign(x + shift)); t = c * scale; t = t + shortcut(x); t = t * bn_mul;
    t = t + bn_add; activation. A post-BN residual is added after bn_add instead.

    Shapes: [N, H, W, C] -> [N, Ho, Wo, M]; constants float32 [M], ``shift`` [C].
    """

    bn_mul: Tensor
    bn_add: Tensor

    def __init__(self, unit: SignUnit) -> None:
        super().__init__()
        _require_type(unit, SignUnit)
        conv = unit.conv
        self.conv = DeployedConv(conv)
        self.shift: Tensor | None
        self.scale: Tensor | None
        shift = None if conv.shift is None else conv.shift.detach().clone()
        self.register_buffer("shift", shift)
        self.register_buffer("scale", weight_scale(conv.weight) if conv.scale else None)
        self.residual: Residual = unit.residual
        self.shortcut = None if unit.shortcut is None else DeployedShortcut(unit.shortcut)
        bn_mul, bn_add = _fold_bn(unit.bn)
        self.register_buffer("bn_mul", bn_mul)
        self.register_buffer("bn_add", bn_add)
        self.activation = _deploy_activation(unit.activation, conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        t: Tensor = self.conv(x if self.shift is None else x + self.shift)
        if self.scale is not None:
            t = t * self.scale
        if self.shortcut is not None and self.residual == "pre_bn":
            t = t + self.shortcut(x)
        t = t * self.bn_mul
        t = t + self.bn_add
        if self.shortcut is not None and self.residual == "post_bn":
            t = t + self.shortcut(x)
        return self.activation(t)  # type: ignore[no-any-return]


class DeployedBlock(nn.Module):
    """`bdnet.units.SeparableBlock` in its deployment form."""

    def __init__(self, block: SeparableBlock) -> None:
        super().__init__()
        _require_type(block, SeparableBlock)
        self.depthwise = DeployedUnit(block.depthwise)
        self.pointwise = DeployedUnit(block.pointwise)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))  # type: ignore[no-any-return]


class DeployedStem(nn.Module):
    """`bdnet.units.Stem` with an ordered sum: image [N, C, H, W] -> [N, Ho, Wo, M]."""

    weight: Tensor
    bn_mul: Tensor
    bn_add: Tensor

    def __init__(self, stem: Stem) -> None:
        super().__init__()
        _require_type(stem, Stem)
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
        bn_mul, bn_add = _fold_bn(stem.bn)
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
        _require_type(head, Head)
        self.classifier = copy.deepcopy(head.classifier).requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        # Columns first, then rows: ONNX Runtime's mean over both at once takes six times as long.
        return self.classifier(features.mean(2).mean(1))  # type: ignore[no-any-return]


class DeployedNet(nn.Module):
    """The deployment form of a `BDNet`. Made by `deploy`.

    ``forward`` takes normalised images float32 [N, C, H, W] and returns logits [N, classes];
    ``features`` returns what leaves the body, [N, h, w, C].
    """

    def __init__(self, model: BDNet) -> None:
        super().__init__()
        self.stem = DeployedStem(model.stem)
        self.body = nn.Sequential(
            *(_deploy_body(name, module) for name, module in model.body.named_children())
        )
        self.head = DeployedHead(model.head)
        _require_finite("the deployment form", self)

    def features(self, image: Tensor) -> Tensor:
        return self.body(self.stem(image))  # type: ignore[no-any-return]

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image))  # type: ignore[no-any-return]

    def named_constants(self) -> Iterator[tuple[str, Tensor]]:
        """Every constant with its path, in the order of the paths."""
        return iter(sorted(self.state_dict().items()))

    def digest(self) -> str:
        """SHA-256 over all constants: path, dtype, shape and little-endian bytes of each."""
        return constants_digest(
            (
                name,
                str(constant.dtype).removeprefix("torch."),
                tuple(constant.shape),
                constant.cpu().contiguous().numpy().tobytes(),
            )
            for name, constant in self.named_constants()
        )

    def layers(self) -> list[str]:
        """Paths of the modules whose outputs parity is checked on: the stem and every unit."""
        return ["stem"] + [
            f"body.{name}"
            for name, unit in self.body.named_modules()
            if isinstance(unit, DeployedUnit)
        ]


def _deploy_body(name: str, module: nn.Module) -> nn.Module:
    if isinstance(module, SeparableBlock):
        return DeployedBlock(module)
    if isinstance(module, SignUnit):
        return DeployedUnit(module)
    raise InputError(
        f"body.{name} is a {type(module).__name__}, which has no deployment form; "
        "the body is made of SeparableBlock and SignUnit"
    )


def constants_digest(constants: Iterator[tuple[str, str, tuple[int, ...], bytes]]) -> str:
    """SHA-256 over (path, dtype name, shape, little-endian bytes), in the order given."""
    sha = hashlib.sha256()
    for name, dtype, shape, content in constants:
        sha.update(f"{name}\0{dtype}\0{list(shape)}\0".encode())
        sha.update(content)
    return sha.hexdigest()


def deploy(model: BDNet) -> DeployedNet:
    """The deployment form of a trained network, on the CPU, in evaluation mode.

    Args:
        model: left as it is; its parameters are copied.

    Raises:
        InputError: ``model`` is not a `BDNet`, or holds a part without a deployment form.
    """
    if not isinstance(model, BDNet):
        raise InputError(
            f"cannot deploy a {type(model).__name__}; expected a bdnet.BDNet: "
            "a stem, a body of SeparableBlock or SignUnit, and a head"
        )
    if any(p.device.type != "cpu" for p in model.parameters()):
        model = copy.deepcopy(model).cpu()
    _require_finite("the trained network", model)
    with torch.no_grad():
        return DeployedNet(model).eval()
