"""The two comparisons of a validation: the file with the reference, the training with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

import bdnet_runtime
from bdnet import DeployedNet, InputError
from bdnet.models.base import BDNet
from bdnet_export.metadata import ModelMetadata
from bdnet_export.model_file import fused_blocks, with_outputs
from bdnet_export.report import Check, LayerComparison
from bdnet_runtime.session import reason
from bdnet_runtime.verification import (
    Array,
    Difference,
    Images,
    Tally,
    layer_report,
    require_shapes,
)

SIGN_AGREEMENT = 0.99
"""Least share of equal signs between the trained network and its deployment form. Folding
constants moves activations by an ulp or so, which turns a few signs near zero; a wrong deployment
turns many."""


# What is captured is of one forward pass; several devices may be asked at once.
_ONE_AT_A_TIME = Lock()


class FileRun:
    """The file in ONNX Runtime, one way, with what differed so far."""

    def __init__(
        self,
        label: str,
        path: Path,
        proto: onnx.ModelProto,
        metadata: ModelMetadata,
        *,
        use_library: bool,
    ) -> None:
        self.label = label
        self._path = path
        self._proto, self._metadata, self._use_library = proto, metadata, use_library
        self._blocks = fused_blocks(proto)
        self._session = self._create([metadata.features])
        self._image = proto.graph.input[0].name
        self._logits = proto.graph.output[0].name
        self.tally = Tally()

    def _create(self, outputs: Sequence[str]) -> onnxruntime.InferenceSession:
        return bdnet_runtime.create_session(
            with_outputs(self._proto, outputs),
            threads=1,
            use_library=self._use_library,
            name=str(self._path),
        )

    def _compute(
        self, session: onnxruntime.InferenceSession, images: Images, names: Sequence[str]
    ) -> list[Array]:
        try:
            return [np.asarray(y) for y in session.run(list(names), {self._image: images})]
        except Exception as error:  # ORT's exceptions share no public base class
            raise InputError(
                f"ONNX Runtime {self.label} cannot run the file on images of shape "
                f"{list(images.shape)}: {reason(error)}"
            ) from error

    def compare(self, begin: int, images: Images, features: Array, logits: Array) -> None:
        """Runs ``images`` (filled up to a batch) and compares the first len(features) results."""
        got_logits, got_features = self._compute(
            self._session, images, [self._logits, self._metadata.features]
        )
        count = len(features)
        got_logits, got_features = got_logits[:count], got_features[:count]
        require_shapes([features, logits], [got_features, got_logits], ["features", "logits"])
        self.tally.add_values(begin, features, got_features)
        self.tally.add_logits(begin, logits, got_logits)

    def checks(self) -> list[Check]:
        """Features and logits, each with its verdict."""
        return tally_checks(self.tally, self.label)

    def compare_layers(self, deployed: DeployedNet, image: Images) -> LayerComparison:
        """Every layer's output on the first of ``image``, which is filled up to a batch."""
        layers = self._metadata.layers
        expected = layer_outputs(deployed, layers, self._metadata.network_input(image))[0]
        got = self._compute(self._create(layers), image, layers)
        return LayerComparison(
            self.label,
            [
                layer_report(layer, expected[layer][:1], values[:1])
                for layer, values in zip(layers, got, strict=True)
            ],
        )

    def first_difference(self, deployed: DeployedNet, image: Images) -> tuple[str | None, str]:
        """The first layer or fused block whose output differs on ``image``, and how it differs."""
        layers = self._metadata.layers
        expected = layer_outputs(deployed, layers, self._metadata.network_input(image))[0]
        got = self._compute(self._create(layers), image, layers)
        for layer, values in zip(layers, got, strict=True):
            difference = Difference.between(expected[layer][0], values[0])
            if difference is not None:
                name = self._blocks.get(layer, layer)
                fused = "; its two units are fused" if layer in self._blocks else ""
                return name, difference.describe(name, self.tally.failing_image) + fused
        return None, (
            f"the features differ on image {self.tally.failing_image}, but with every layer's "
            f"output exposed none does: an optimisation across layers changes the result"
        )


def tally_checks(tally: Tally, where: str) -> list[Check]:
    """The two verdicts on what a file has computed, with words for ``where`` it did."""
    return [
        Check(f"features equal {where}", tally.different == 0, tally.describe_values()),
        Check(f"logits {where}", not tally.wrong_logits, tally.describe_logits()),
    ]


class TrainedAgainstDeployed:
    """Runs the trained network beside its deployment form and counts equal signs."""

    def __init__(self, model: BDNet, deployed: DeployedNet) -> None:
        self._model, self._deployed = model, deployed
        self._layers = deployed.layers()
        self._signs = self._equal_signs = self._equal_top1 = 0
        self.top1: list[int] = []

    def compare(self, images: Array) -> tuple[Array, Array]:
        """The deployment form's features [N, h, w, C] and logits on ``images``."""
        batch = torch.from_numpy(images)
        with (
            torch.no_grad(),
            _evaluating(self._model),
            captured(self._model, self._layers) as trained,
            captured(self._deployed, self._layers) as deployed,
        ):
            trained_top1 = self._model(batch).argmax(1)
            logits = self._deployed(batch)
        for layer in self._layers:
            # The trained network is NCHW, the deployment form NHWC.
            equal = (trained[layer].permute(0, 2, 3, 1) >= 0) == (deployed[layer] >= 0)
            self._signs += equal.numel()
            self._equal_signs += int(equal.sum())
        self._equal_top1 += int((trained_top1 == logits.argmax(1)).sum())
        self.top1 += [int(i) for i in trained_top1]
        return deployed[self._layers[-1]].numpy(), logits.numpy()

    @property
    def sign_agreement(self) -> float:
        return self._equal_signs / self._signs

    @property
    def top1_agreement(self) -> float:
        return self._equal_top1 / len(self.top1)

    def check(self) -> Check:
        return Check(
            "trained network agrees with its deployment form",
            self.sign_agreement >= SIGN_AGREEMENT,
            f"{self.sign_agreement:.4%} of {self._signs:,} signs and {self.top1_agreement:.2%} of "
            f"top classes agree (at least {SIGN_AGREEMENT:.0%} of signs expected)",
        )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def layer_outputs(
    deployed: DeployedNet, layers: Sequence[str], images: Array
) -> tuple[dict[str, Array], Array]:
    """What the deployment form computes: the output of each layer by name, and the logits."""
    with _ONE_AT_A_TIME, captured(deployed, layers) as outputs, torch.no_grad():
        logits = deployed(torch.from_numpy(images)).numpy()
    return {layer: outputs[layer].numpy() for layer in layers}, logits


@contextmanager
def captured(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collects the outputs of the modules at ``layers`` during forward passes."""
    outputs: dict[str, Tensor] = {}

    def keep(layer: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            outputs[layer] = output

        return hook

    handles = [model.get_submodule(layer).register_forward_hook(keep(layer)) for layer in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
