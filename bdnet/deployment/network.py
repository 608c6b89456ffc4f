"""A whole `bdnet.BDNet` in its deployment form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

import torch
from torch import Tensor, nn

from bdnet.deployment.constants import constants_digest, require_finite
from bdnet.deployment.copying import plain_copy, require_own_forward
from bdnet.deployment.units import (
    DeployedBlock,
    DeployedHead,
    DeployedStem,
    DeployedUnit,
)
from bdnet.errors import InputError
from bdnet.models.base import BDNet
from bdnet.units import Head, SeparableBlock, SignUnit, Stem


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
        require_finite("the deployment form", self)

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
        return DeployedBlock(module, f"body.{name}")
    if isinstance(module, SignUnit):
        return DeployedUnit(module, f"body.{name}")
    raise InputError(
        f"body.{name} is a {type(module).__name__}, which has no deployment form; "
        "the body is made of SeparableBlock and SignUnit"
    )


def is_network(model: nn.Module) -> TypeGuard[BDNet]:
    """Whether ``model`` is a stem, a body of units and blocks in sequence, and a head, no more.

    That is what `deploy` takes; any other module is for `deploy_module`.
    """
    return (
        isinstance(model, BDNet)
        and type(model).forward is BDNet.forward
        and type(model).features is BDNet.features
        and type(model.stem) is Stem
        and type(model.head) is Head
        and all(isinstance(part, SeparableBlock | SignUnit) for part in model.body)
    )


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
    model = plain_copy(model)
    require_finite("the trained network", model)
    require_own_forward(model.stem, "stem")
    require_own_forward(model.body, "body")
    with torch.no_grad():
        return DeployedNet(model).eval()
