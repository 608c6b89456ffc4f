"""The two comparisons of a validation: the file with the reference, the training with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

import bdnet_runtime
from bdnet import DeployedNet, InputError
from bdnet.models.base import BDNet
from bdnet_export.metadata import ModelMetadata
from bdnet_export.model_file import fused_blocks, with_outputs
from bdnet_export.report import Check
from bdnet_runtime.session import reason

LOGIT_TOLERANCE = 1e-5
"""Of the largest logit of the image: for what comes after the last sign."""

SIGN_AGREEMENT = 0.99
"""Least share of equal signs between the trained network and its deployment form. Folding
constants moves activations by an ulp or so, which turns a few signs near zero; a wrong deployment
turns many."""

Array = npt.NDArray[np.float32]


def differing(expected: Array, got: Array) -> npt.NDArray[np.bool_]:
    """Where two arrays differ by the contract's equality: IEEE ==, and NaN equals NaN."""
    return np.asarray((expected != got) & ~(np.isnan(expected) & np.isnan(got)))


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
        self.compared = self.different = 0
        self.failing_image: int | None = None
        self.worst_logit = 0.0
        self.top1: list[int] = []
        self.wrong_logits: list[int] = []

    def _create(self, outputs: Sequence[str]) -> onnxruntime.InferenceSession:
        return bdnet_runtime.create_session(
            with_outputs(self._proto, outputs),
            threads=1,
            use_library=self._use_library,
            name=str(self._path),
        )

    def _compute(
        self, session: onnxruntime.InferenceSession, images: Array, names: Sequence[str]
    ) -> list[Array]:
        try:
            return [np.asarray(y) for y in session.run(list(names), {self._image: images})]
        except Exception as error:  # ORT's exceptions share no public base class
            raise InputError(
                f"ONNX Runtime {self.label} cannot run the file on images of shape "
                f"{list(images.shape)}: {reason(error)}"
            ) from error

    def compare(self, begin: int, images: Array, features: Array, logits: Array) -> None:
        """Runs ``images`` (filled up to a batch) and compares the first len(features) results."""
        got_logits, got_features = self._compute(
            self._session, images, [self._logits, self._metadata.features]
        )
        count = len(features)
        got_logits, got_features = got_logits[:count], got_features[:count]
        if got_features.shape != features.shape or got_logits.shape != logits.shape:
            raise InputError(
                f"the file computes features {list(got_features.shape)} and logits "
                f"{list(got_logits.shape)}, the network {list(features.shape)} and "
                f"{list(logits.shape)}: it was exported from another configuration"
            )
        wrong = differing(features, got_features).reshape(count, -1).sum(axis=1)
        self.compared += features.size
        self.different += int(wrong.sum())
        if self.failing_image is None and wrong.any():
            self.failing_image = begin + int(np.argmax(wrong > 0))
        largest = np.maximum(np.abs(logits).max(axis=1), np.finfo(np.float32).tiny)
        error = np.abs(got_logits - logits).max(axis=1) / largest
        top1 = got_logits.argmax(axis=1)
        # Written so that a NaN counts as an error.
        bad = ~(error <= LOGIT_TOLERANCE) | (top1 != logits.argmax(axis=1))
        self.wrong_logits += [begin + int(i) for i in np.flatnonzero(bad)]
        self.worst_logit = max(self.worst_logit, float(np.nan_to_num(error, nan=np.inf).max()))
        self.top1 += [int(i) for i in top1]

    def checks(self) -> list[Check]:
        """Features and logits, each with its verdict."""
        images = len(self.top1)
        logits = (
            f"largest error {self.worst_logit:.1e} of the largest logit, "
            f"tolerance {LOGIT_TOLERANCE:.0e}"
        )
        if self.wrong_logits:
            logits += (
                f"; {len(self.wrong_logits)} of {images} images are outside it or have another "
                f"top class, the first is image {self.wrong_logits[0]}"
            )
        return [
            Check(
                f"features equal {self.label}",
                self.different == 0,
                f"{self.different:,} of {self.compared:,} values differ on {images} images",
            ),
            Check(f"logits {self.label}", not self.wrong_logits, logits),
        ]

    def first_difference(self, deployed: DeployedNet, image: Array) -> tuple[str | None, str]:
        """The first layer or fused block whose output differs on ``image``, and how it differs."""
        layers = self._metadata.layers
        with _captured(deployed, layers) as outputs, torch.no_grad():
            deployed(torch.from_numpy(image))
        got = self._compute(self._create(layers), image, layers)
        for layer, values in zip(layers, got, strict=True):
            expected = outputs[layer].numpy()
            wrong = differing(expected, values)[0]
            if wrong.any():
                y, x, c = (int(i) for i in np.argwhere(wrong)[0])
                channels = int(wrong.any(axis=(0, 1)).sum())
                name = self._blocks.get(layer, layer)
                return name, (
                    f"{name}: {int(wrong.sum()):,} of {wrong.size:,} values differ on image "
                    f"{self.failing_image}, in {channels} of {wrong.shape[2]} channels; first at "
                    f"row {y}, column {x}, channel {c}: expected {float(expected[0, y, x, c])!r}, "
                    f"got {float(values[0, y, x, c])!r}"
                    + ("; its two units are fused" if layer in self._blocks else "")
                )
        return None, (
            f"the features differ on image {self.failing_image}, but with every layer's output "
            f"exposed none does: an optimisation across layers changes the result"
        )


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
            _captured(self._model, self._layers) as trained,
            _captured(self._deployed, self._layers) as deployed,
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


@contextmanager
def _captured(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
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
