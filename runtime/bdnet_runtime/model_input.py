"""The one input of a model, and something to feed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from bdnet_runtime.errors import InputError

_TYPES = ("tensor(float)", "tensor(uint8)")


@dataclass(frozen=True)
class ModelInput:
    """What a model takes in.

    Args:
        name: as in the file.
        shape: with the batch first; its size where the file fixes it, otherwise 1.
        as_bytes: it is uint8, otherwise float32.
    """

    name: str
    shape: tuple[int, ...]
    as_bytes: bool = False

    @property
    def dtype(self) -> str:
        return "uint8" if self.as_bytes else "float32"

    @property
    def fill(self) -> str:
        """How `random` values are distributed."""
        return "uniform distribution" if self.as_bytes else "normal distribution"

    def random(self, seed: int = 0) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
        """Values of this type and shape, distributed as `fill` says; the same for the same seed."""
        generator = np.random.default_rng(seed)
        if self.as_bytes:
            return generator.integers(0, 256, self.shape, np.uint8)
        return generator.standard_normal(self.shape, dtype=np.float32)


def model_input(session: ort.InferenceSession, batch: int | None = None) -> ModelInput:
    """The input of a model of images: one tensor of float32 or uint8, whose batch may be dynamic.

    Args:
        batch: images a run; without it what the file fixes, otherwise 1.

    Raises:
        InputError: the model has another number of inputs, type, or dynamic dimension, or fixes
            another batch.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise InputError(f"the model has {len(inputs)} inputs ({names}); expected one")
    (value,) = inputs
    if value.type not in _TYPES:
        raise InputError(
            f"the input {value.name!r} is a {value.type}; expected a {' or a '.join(_TYPES)}"
        )
    # ONNX Runtime gives a dynamic dimension as its name, or None where it has no name.
    return fit_batch(value.name, value.shape, batch, as_bytes=value.type == _TYPES[1])


def fit_batch(
    name: str,
    shape: Sequence[int | str | None],
    batch: int | None,
    *,
    as_bytes: bool = False,
) -> ModelInput:
    """The input ``name`` of a file, for a batch.

    Args:
        shape: as in the file; a dynamic dimension is no number.
        batch: images a run; without it what the file fixes, otherwise 1.

    Raises:
        InputError: another dimension than the batch is dynamic, or the file fixes another batch.
    """
    dynamic = [not isinstance(size, int) for size in shape]
    if any(dynamic[1:]):
        raise InputError(
            f"the input {name!r} has shape {list(shape)}; only the first dimension, the batch, may "
            "be dynamic, so export the model with a fixed image size"
        )
    fixed = [size for size in shape if isinstance(size, int)]
    if dynamic and dynamic[0]:
        return ModelInput(name, (batch or 1, *fixed), as_bytes)
    if batch is not None and fixed and batch != fixed[0]:
        raise InputError(
            f"the batch is {batch}, but the model always reads {fixed[0]}; leave the batch out, or "
            "export the model with a dynamic one"
        )
    return ModelInput(name, tuple(fixed), as_bytes)
