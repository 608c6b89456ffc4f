"""The whole file beside the whole module: a remark and no check.

An error within the tolerance of a float layer may turn a sign further on, and that moves an output
by as much as it likes. So what differs here is told as what it is; `module_validation` judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import bdnet_runtime
from bdnet import InputError
from bdnet.deployment import plain_copy
from bdnet_runtime.output_tally import relative_error
from bdnet_runtime.session import reason
from bdnet_runtime.verification import Array, Images

_Values = npt.NDArray[Any]


def run_session(
    session: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    feeds: Mapping[str, Images],
    what: str,
) -> list[_Values]:
    """What a session puts out. Raises `InputError`, which names ``what`` was run, if it fails."""
    try:
        return [np.asarray(y) for y in session.run(list(outputs), dict(feeds))]
    except Exception as error:  # ORT's exceptions share no public base class
        raise InputError(f"ONNX Runtime cannot run {what}: {reason(error)}") from error


class WholeModule:
    """The file, the deployment form and the trained module on the same images."""

    def __init__(
        self, path: Path, proto: onnx.ModelProto, model: nn.Module, deployed: nn.Module
    ) -> None:
        self._session = bdnet_runtime.create_session(path)
        self._outputs = [value.name for value in proto.graph.output]
        self._trained, self._deployed = plain_copy(model), deployed
        # Largest error of the file and of the deployment form; for what is no float, values that
        # differ and their number.
        self._errors = {name: [0.0, 0.0] for name in self._outputs}
        self._counts = {name: [0, 0] for name in self._outputs}
        # The top classes by the file, by the deployment form and by the trained module.
        self._classes: tuple[list[int], list[int], list[int]] = ([], [], [])

    def compare(self, feeds: Mapping[str, Images], inputs: Sequence[Array], count: int) -> None:
        """Of the first ``count`` images of a batch.

        Args:
            feeds: what the file reads; ``inputs``: what the module reads.
        """
        got = run_session(self._session, self._outputs, feeds, "the file")
        ours, theirs = (_leaves(form, inputs) for form in (self._deployed, self._trained))
        if [y.ndim for y in got] == [2] and got[0].dtype == np.float32:
            for classes, (scores,) in zip(self._classes, (got, ours, theirs), strict=True):
                classes += [int(top) for top in scores[:count].argmax(1)]
        for name, file, deployed, trained in zip(self._outputs, got, ours, theirs, strict=True):
            file, deployed, trained = (np.asarray(y)[:count] for y in (file, deployed, trained))
            if deployed.dtype == np.float32:
                errors = self._errors[name]
                errors[0] = max(errors[0], relative_error(deployed, file))
                errors[1] = max(errors[1], relative_error(deployed, trained))
            else:
                self._counts[name][0] += int((file != deployed).sum())
                self._counts[name][1] += deployed.size

    def classifier_agreement(self) -> float | None:
        """Share of images whose top class in the file is the deployment form's.

        None: the module has not one output [N, classes].
        """
        by_file, by_deployed, _ = self._classes
        return float(np.mean(np.equal(by_file, by_deployed))) if by_file else None

    def accuracies(self, labels: npt.NDArray[np.int64]) -> tuple[float | None, float | None]:
        """Shares of images whose top class is their label: by the trained module, by the file."""
        by_file, _, by_trained = self._classes
        if not by_file:
            return None, None
        return float(np.mean(by_trained == labels)), float(np.mean(by_file == labels))

    def notes(self) -> list[str]:
        """What differed, a sentence for each output."""
        notes = []
        for name in self._outputs:
            different, values = self._counts[name]
            to_deployed, to_trained = self._errors[name]
            if values:
                notes.append(
                    f"{name}: {different:,} of {values:,} values differ between the whole "
                    "file and the deployment form"
                )
            else:
                notes.append(
                    f"{name}: the whole file differs from the deployment form by at most "
                    f"{to_deployed:.1e} of the largest value, and that from the trained module by "
                    f"{to_trained:.1e}"
                )
        return notes


def _leaves(module: nn.Module, inputs: Sequence[Array]) -> list[_Values]:
    """All tensors that a module returns, however they are nested."""
    with torch.no_grad():
        # Copies, as a module may change what it is given.
        returned = module(*(torch.tensor(array) for array in inputs))
    return [leaf.numpy() for leaf in pytree.tree_leaves(returned) if isinstance(leaf, Tensor)]
