"""A network while it is trained: its stage, its optimizer, its moving average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bdnet.layers import FloatConv2d, SignConv2d
from bdnet.models import Network
from bdnet.training.recipe import Recipe

_MOMENTUM = 0.9


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs with one optimizer.

    Args:
        first, epochs: its first epoch, counted over all stages, and how many it has.
        real_weights: activations are binarised, weights are not yet.
    """

    first: int
    epochs: int
    real_weights: bool


def stage_of(recipe: Recipe, epoch: int) -> Stage:
    """The stage that ``epoch``, counted from 0 over both stages, belongs to."""
    if epoch < recipe.activation_epochs:
        return Stage(0, recipe.activation_epochs, real_weights=True)
    return Stage(recipe.activation_epochs, recipe.epochs, real_weights=False)


class Trainee:
    """All that a step changes, from the beginning of one stage on."""

    def __init__(
        self, network: Network, recipe: Recipe, stage: Stage, accelerator: Accelerator
    ) -> None:
        self.network, self.stage = network, stage
        for module in network.modules():
            if isinstance(module, SignConv2d) and not isinstance(module, FloatConv2d):
                module.real_weights = stage.real_weights
        self.optimizer = accelerator.prepare_optimizer(_optimizer(network, recipe))
        self.scaler: torch.amp.GradScaler | None = accelerator.scaler
        self.average = (
            AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
            if recipe.ema > 0
            else None
        )

    @property
    def evaluated(self) -> nn.Module:
        """The weights that count: the moving average's, if there is one."""
        return self.network if self.average is None else self.average.module

    def step(self, learning_rate: float) -> None:
        """One step along the gradients that are there."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)

    def settle(self) -> None:
        """Ends the stage: the network gets the weights that count."""
        if self.average is not None:
            self.network.load_state_dict(self.average.module.state_dict())

    def state(self) -> dict[str, Any]:
        """What `load_state` continues from, of tensors and numbers."""
        parts = {"network": self.network, "optimizer": self.optimizer}
        parts |= {"average": self.average, "scaler": self.scaler}
        return {name: None if part is None else part.state_dict() for name, part in parts.items()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = _groups(network, recipe.weight_decay)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, recipe.lr, momentum=_MOMENTUM, nesterov=True, fused=True)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, recipe.lr, fused=True, weight_decay=0.0)


def _groups(network: Network, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters whose values the decay is for, and all others."""
    decayed = [
        module.weight
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        or (isinstance(module, SignConv2d) and module.real_weights)
    ]
    if weight_decay == 0 or not decayed:
        return [{"params": list(network.parameters())}]
    known = set(decayed)
    others = [parameter for parameter in network.parameters() if parameter not in known]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
