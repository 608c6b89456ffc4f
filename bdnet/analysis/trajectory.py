"""A network as it was at several points of its training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from torch import Tensor, nn

from bdnet.analysis import experiment
from bdnet.analysis.experiment import Data, Settings
from bdnet.data import fashion_mnist
from bdnet.models import BDNet
from bdnet.models.arguments import Weights
from bdnet.training import loop
from bdnet.units import Residual

State = dict[str, Tensor]


def train(
    settings: Settings,
    residual: Residual,
    depthwise: Weights,
    pointwise: Weights,
    seed: int,
    data: Data,
    steps: Sequence[int],
) -> tuple[BDNet, list[State]]:
    """Trains a network and keeps its state after each number of ``steps``, 0 to all of them.

    Returns:
        The trained network and its state dictionaries, one for each of ``steps``.
    """
    which = (residual, depthwise, pointwise, seed)
    model = experiment.build(settings, *which)
    states: dict[int, State] = {}
    step = itertools.count()

    def keep(module: nn.Module, _: Any) -> None:
        # Before the forward pass of a step, the network is what the steps before it made.
        if module.training:
            done = next(step)
            if done in steps:
                states[done] = _copy(module)

    handle = model.register_forward_pre_hook(keep)
    with TemporaryDirectory() as folder:
        loop.train(
            model,
            settings.recipe(*which),
            data.training,
            data.validation,
            fashion_mnist.PREPROCESSING,
            Path(folder) / "resume",
            Console(quiet=True),
        )
    handle.remove()
    states[next(step)] = _copy(model)
    return model, [states[done] for done in steps]


def _copy(model: nn.Module) -> State:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
