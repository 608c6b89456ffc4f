"""The one input of a model, and something to feed it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from bdnet_runtime.errors import InputError


@dataclass(frozen=True)
class ModelInput:
    """What a model takes in.

    Args:
        name: as in the file.
        shape: with the batch first; its size where the file fixes it, otherwise 1.
    """

    name: str
    shape: tuple[int, ...]

    def random(self, seed: int = 0) -> npt.NDArray[np.float32]:
        """Normally distributed values, float32, of this shape; the same for the same seed."""
        return np.random.default_rng(seed).standard_normal(self.shape, dtype=np.float32)


def model_input(session: ort.InferenceSession, batch: int | None = None) -> ModelInput:
    """The input of a model of images: one float32 tensor whose batch alone may be dynamic.

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
    if value.type != "tensor(float)":
        raise InputError(f"the input {value.name!r} is a {value.type}; expected a tensor(float)")
    # ONNX Runtime gives a dynamic dimension as its name, or None where it has no name.
    dynamic = [not isinstance(size, int) for size in value.shape]
    if any(dynamic[1:]):
        raise InputError(
            f"the input {value.name!r} has shape {value.shape}; only the first dimension, the "
            "batch, may be dynamic, so export the model with a fixed image size"
        )
    open_batch = bool(dynamic) and dynamic[0]
    if batch is not None and not open_batch and batch != value.shape[0]:
        raise InputError(
            f"the batch is {batch}, but the model always reads {value.shape[0]}; leave the batch "
            "out, or export the model with a dynamic one"
        )
    shape = (batch or 1, *value.shape[1:]) if open_batch else tuple(value.shape)
    return ModelInput(value.name, shape)
