"""Any module that holds layers of ours, in its deployment form: a copy with layers replaced."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from bdnet.deployment.constants import fold_bn, require_finite
from bdnet.deployment.layers import (
    DeployedPReLU,
    DeployedShortcut,
    DeployedSignConv2d,
    DeployedSignLinear,
)
from bdnet.deployment.units import DeployedBlock, DeployedStem, DeployedUnit
from bdnet.errors import InputError
from bdnet.layers import RPReLU, Shortcut, SignConv2d, SignLinear
from bdnet.units import SeparableBlock, SignUnit, Stem


class _ChannelsFirst(nn.Module):
    """Around a layer that computes in NHWC: [N, C, H, W] -> [N, M, Ho, Wo]."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x.permute(0, 2, 3, 1))
        return y.permute(0, 3, 1, 2)


class PlanarSignConv2d(_ChannelsFirst, DeployedSignConv2d):
    """`DeployedSignConv2d` on NCHW."""


class PlanarUnit(_ChannelsFirst, DeployedUnit):
    """`DeployedUnit` on NCHW."""


class PlanarBlock(_ChannelsFirst, DeployedBlock):
    """`DeployedBlock` on NCHW."""


class PlanarShortcut(_ChannelsFirst, DeployedShortcut):
    """`DeployedShortcut` on NCHW."""


class PlanarPReLU(_ChannelsFirst, DeployedPReLU):
    """`DeployedPReLU` on NCHW."""


class PlanarStem(DeployedStem):
    """`DeployedStem` with its output in NCHW as well."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).permute(0, 3, 1, 2)


class DeployedNorm(nn.Module):
    """Batch normalisation wherever it stands: t = x * mul; t = t + add, each step rounded.

    Shapes: [N, C] or [N, C, ...]; constants float32 [C].
    """

    mul: Tensor
    add: Tensor

    def __init__(self, bn: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        mul, add = fold_bn(bn)
        self.register_buffer("mul", mul)
        self.register_buffer("add", add)

    def forward(self, x: Tensor) -> Tensor:
        shape = [-1] + [1] * (x.dim() - 2)
        return x * self.mul.reshape(shape) + self.add.reshape(shape)


def deploy_module(model: nn.Module) -> nn.Module:
    """A copy of ``model`` whose layers of ours have their deployment form. See `bdnet.deploy`."""
    require_finite("the trained network", model)
    replaced: dict[int, nn.Module] = {}  # a module that is used twice stays one module

    def visit(module: nn.Module, path: str) -> nn.Module:
        if id(module) not in replaced:
            replaced[id(module)] = _replace(module, path)
        if replaced[id(module)] is module:
            for name, child in list(module.named_children()):
                setattr(module, name, visit(child, f"{path}.{name}".lstrip(".")))
        return replaced[id(module)]

    with torch.no_grad():
        network = copy.deepcopy(model).cpu().eval()
        network = visit(network, "").eval().requires_grad_(False)
    require_finite("the deployment form", network)
    return network


def _replace(module: nn.Module, path: str) -> nn.Module:
    """The deployment form of one layer of ours; any other module itself."""
    try:
        if isinstance(module, SignUnit):
            return PlanarUnit(module, path)
        if isinstance(module, SeparableBlock):
            return PlanarBlock(module, path)
        if isinstance(module, SignConv2d):
            return PlanarSignConv2d(module)
        if isinstance(module, SignLinear):
            return DeployedSignLinear(module)
        if isinstance(module, Shortcut):
            return PlanarShortcut(module)
        if isinstance(module, Stem):
            return PlanarStem(module)
        if type(module) is RPReLU:
            return PlanarPReLU(module.slope, module.shift_in, module.shift_out)
        if type(module) is nn.PReLU and module.weight.numel() > 1:
            return PlanarPReLU(module.weight)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            return DeployedNorm(module)
    except InputError as error:
        raise InputError(f"{path or 'the network'}: {error}") from None
    return module


def module_layers(network: nn.Module) -> list[str]:
    """Paths of the layers of a `deploy_module` network whose outputs parity is checked on."""
    kinds = (
        *(PlanarSignConv2d, DeployedUnit, PlanarShortcut, PlanarPReLU, PlanarStem),
        DeployedSignLinear,
    )
    return [path for path, module in network.named_modules() if isinstance(module, kinds) and path]
