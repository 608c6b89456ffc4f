"""Any module that holds layers of ours, in its deployment form: a copy with layers replaced."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bdnet.deployment.constants import fold_bn, require_finite, require_type
from bdnet.deployment.copying import plain_copy, require_own_forward, unwrapped
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

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)  # a user's subclass may compute otherwise


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
    """The deployment form of any module: a copy in which layers of ours have theirs.

    Batch normalisation and PReLU have one too, exact wherever they stand; every other module is
    copied as it is. For a plain `bdnet.BDNet` there is `bdnet.deploy`, NHWC from end to end.

    Args:
        model: left as it is; the copy is on the CPU, in evaluation mode.

    Returns:
        A module with the inputs and outputs of ``model``, NCHW at the border of each layer.

    Raises:
        InputError: a value is not finite or not float32, or a layer has no deployment form, such as
            a subclass of one of ours; with the layer's path.
    """
    network = plain_copy(unwrapped(model))
    require_finite("the trained network", network)
    # A module that stands in several places stays one module. The keys keep what was replaced.
    replaced: dict[nn.Module, nn.Module] = {}

    def visit(module: nn.Module, path: str) -> nn.Module:
        module = unwrapped(module)
        if module not in replaced:
            replaced[module] = _replace(module, path)
            if replaced[module] is module:
                # Not named_children(), which leaves out a child that stands there twice.
                for name, child in module._modules.items():
                    if child is not None:
                        module._modules[name] = visit(child, f"{path}.{name}".lstrip("."))
        return replaced[module]

    with torch.no_grad():
        network = visit(network, "").eval().requires_grad_(False)
    require_finite("the deployment form", network)
    return network


def _replace(module: nn.Module, path: str) -> nn.Module:
    """The deployment form of one layer of ours; any other module itself."""
    deployed = _deployment_form(module, path)
    if deployed is None:
        return module
    require_own_forward(module, path)
    return deployed


def _deployment_form(module: nn.Module, path: str) -> nn.Module | None:
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
            require_type(module, Shortcut)
            return PlanarShortcut(module)
        if isinstance(module, Stem):
            return PlanarStem(module)
        if isinstance(module, RPReLU):
            require_type(module, RPReLU)
            return PlanarPReLU(module.slope, module.shift_in, module.shift_out)
        if type(module) is nn.PReLU and module.weight.numel() > 1:
            return PlanarPReLU(module.weight)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and type(module) in _NORMS:
            return DeployedNorm(module)
    except InputError as error:
        raise InputError(f"{path or 'the network'}: {error}") from None
    return None


def module_layers(network: nn.Module) -> list[str]:
    """Paths of the layers of a `deploy_module` network whose outputs parity is checked on."""
    kinds = (
        *(PlanarSignConv2d, DeployedUnit, PlanarShortcut, PlanarPReLU, PlanarStem),
        DeployedSignLinear,
    )
    return [path for path, module in network.named_modules() if isinstance(module, kinds) and path]


def replaced_layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers of a `deploy_module` network that stand where the model has others, by path.

    All read what the model's own layer at that path reads, but the units inside a block, which read
    it in NHWC.
    """
    kinds = (
        *(DeployedUnit, DeployedSignLinear, DeployedNorm, PlanarSignConv2d, PlanarShortcut),
        *(PlanarPReLU, PlanarStem),
    )
    return {path: layer for path, layer in network.named_modules() if isinstance(layer, kinds)}
