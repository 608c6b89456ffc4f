"""Where deployment flips signs of the trained network, and how often.

The deployment form folds constants and rounds each step, the trained network rounds as PyTorch
does: a value that lies an ulp or so from 0 may have another sign. Signs are counted where they are
taken, at the input of each binary or ternary layer and with its learned shift, since what stands
between two layers (a batch normalisation, a ReLU, a float layer) decides which sign is taken. Two
runs of the deployment form say different things:

- *cumulative*: it computes by itself. A flipped sign moves a sum by 2, so more signs flip behind
  it: that is how far the two have come apart.
- *local*: each layer that deployment has replaced is given what the trained network's reads. The
  signs that differ are those which rounding alone has flipped since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from bdnet.deployment import (
    DeployedSignConv2d,
    DeployedSignLinear,
    DeployedUnit,
    plain_copy,
    replaced_layers,
    unwrapped,
)
from bdnet_export.report import Flips, LayerFlips, TrainedComparison
from bdnet_runtime.verification import Array

_PIXELS = 4 * 224 * 224


def images_at_once(height: int, width: int) -> int:
    """How many images of this size to compare at a time: every layer's input is kept for them."""
    return max(1, _PIXELS // (height * width))


class AgainstTrained:
    """Runs a trained network beside its deployment form and counts the signs that differ.

    Args:
        trained: a plain `bdnet.BDNet` or any module with layers of ours; left as it is.
        deployed: what `bdnet.deployment.deploy_module` has made of it.
    """

    def __init__(self, trained: nn.Module, deployed: nn.Module) -> None:
        self._trained = plain_copy(unwrapped(trained))
        self._deployed = deployed
        self._layers = replaced_layers(self._deployed)
        self._tallies: dict[str, _LayerTally] = {}
        self._images = 0
        self._classified = self._same_class = 0

    def compare(self, inputs: Sequence[Array], count: int) -> None:
        """Of the first ``count`` images of a batch, one float32 array an input of the network."""
        given: dict[str, list[Tensor]] = defaultdict(list)

        def keep(path: str, x: Tensor) -> None:
            given[path].append(x.clone())  # the network may go on to change it in place

        trained = self._run(self._trained, inputs, keep)
        self._tallies |= {
            path: _LayerTally()
            for path in given
            if path not in self._tallies and _takes_signs(self._layers[path])
        }
        deployed = self._run(self._deployed, inputs, self._visit(given, count, local=False))
        self._run(self._deployed, inputs, self._visit(given, count, local=True))
        self._images += count
        if trained is not None and deployed is not None:
            self._classified += count
            same = trained.argmax(1) == deployed.argmax(1)
            self._same_class += int(same[:count].sum())

    def _run(
        self, network: nn.Module, inputs: Sequence[Array], visit: Callable[[str, Tensor], Any]
    ) -> Tensor | None:
        """Returns the first output that is [N, classes]."""
        with torch.no_grad(), _before_layers(network, self._layers, visit):
            returned = network(*(torch.from_numpy(array) for array in inputs))
        outputs = [leaf for leaf in pytree.tree_leaves(returned) if isinstance(leaf, Tensor)]
        fits = (y for y in outputs if y.dim() == 2 and y.shape[1] > 1 and y.is_floating_point())
        return next(fits, None)

    def _visit(
        self, given: dict[str, list[Tensor]], count: int, *, local: bool
    ) -> Callable[[str, Tensor], Tensor | None]:
        """Compares what each layer reads with what is ``given``, and gives it that if ``local``."""
        # A layer that stands in several places reads several times.
        remaining = {path: iter(tensors) for path, tensors in given.items()}

        def visit(path: str, x: Tensor) -> Tensor | None:
            layer, expected = self._layers[path], next(remaining[path])
            if _reads_nhwc(layer):
                expected = expected.permute(0, 2, 3, 1)
            if path in self._tallies:
                values, got = (_with_shift(layer, y)[:count] for y in (expected, x))
                self._tallies[path].add(values, got, local)
            return expected if local else None

        return visit

    def result(self) -> TrainedComparison:
        """What differed so far."""
        layers = [tally.result(path) for path, tally in self._tallies.items()]
        return TrainedComparison(
            self._images,
            layers,
            next((layer.name for layer in layers if layer.cumulative.signs), None),
            next((layer.name for layer in layers if layer.local.signs), None),
            self._same_class / self._classified if self._classified else None,
        )


class _LayerTally:
    """The signs that one layer takes."""

    def __init__(self) -> None:
        self._values = 0
        self._magnitudes = 0.0
        self._flips = {False: 0, True: 0}
        self._furthest = {False: 0.0, True: 0.0}

    def add(self, expected: Tensor, got: Tensor, local: bool) -> None:
        if not local:  # the trained network's values are the same in both runs
            self._values += expected.numel()
            self._magnitudes += float(expected.abs().double().sum())
        flipped = (expected >= 0) != (got >= 0)
        if flips := int(flipped.sum()):
            self._flips[local] += flips
            furthest = float(expected[flipped].abs().max())
            self._furthest[local] = max(self._furthest[local], furthest)

    def result(self, name: str) -> LayerFlips:
        mean = self._magnitudes / max(self._values, 1) or 1.0
        cumulative, local = (
            Flips(self._flips[way], self._furthest[way] / mean if self._flips[way] else None)
            for way in (False, True)
        )
        return LayerFlips(name, self._values, cumulative, local)


def _takes_signs(layer: nn.Module) -> bool:
    return isinstance(layer, DeployedUnit | DeployedSignConv2d | DeployedSignLinear)


def _reads_nhwc(layer: nn.Module) -> bool:
    """Whether it is a unit inside a block, all of which is NHWC."""
    return type(layer) is DeployedUnit


def _with_shift(layer: nn.Module, x: Tensor) -> Tensor:
    """What the layer takes the signs of."""
    shift = layer.shift
    if not isinstance(shift, Tensor):
        return x
    last = _reads_nhwc(layer) or isinstance(layer, DeployedSignLinear)
    return x + (shift if last else shift.view(-1, 1, 1))


@contextmanager
def _before_layers(
    network: nn.Module, paths: Iterable[str], visit: Callable[..., Any]
) -> Iterator[None]:
    """Calls ``visit`` with the path and the input of each layer before it runs.

    A tensor that it returns takes the input's place.
    """

    def hook(path: str) -> Callable[..., Any]:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            instead = visit(path, args[0] if args else next(iter(kwargs.values())))
            return None if instead is None else ((instead,), {})

        return before

    handles = [
        network.get_submodule(path).register_forward_pre_hook(hook(path), with_kwargs=True)
        for path in paths
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
