"""The inputs of a model, and something to feed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from bdnet_runtime.errors import InputError

Size = tuple[int, int]
"""Height and width of an image."""

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


def model_inputs(
    session: ort.InferenceSession, batch: int | None = None, size: Size | None = None
) -> list[ModelInput]:
    """The inputs of a model, of float32 or uint8, their batch and size maybe dynamic.

    Args:
        batch: images a run; without it what the file fixes, otherwise 1.
        size: height and width of the images, for what the file leaves open.

    Raises:
        InputError: the model has no inputs, one of another type, or `fit_input` fails.
    """
    inputs = session.get_inputs()
    if not inputs:
        raise InputError("the model has no inputs; expected at least one")
    for value in inputs:
        if value.type not in _TYPES:
            raise InputError(
                f"the input {value.name!r} is a {value.type}; expected a {' or a '.join(_TYPES)}"
            )
    # ONNX Runtime gives a dynamic dimension as its name, or None where it has no name.
    several = len(inputs) > 1
    return [
        fit_input(
            value.name,
            value.shape,
            batch,
            # Beside an open image there may be inputs that have no size.
            None if several and all(isinstance(n, int) for n in value.shape[1:]) else size,
            as_bytes=value.type == _TYPES[1],
        )
        for value in inputs
    ]


def fit_input(
    name: str,
    shape: Sequence[int | str | None],
    batch: int | None,
    size: Size | None,
    *,
    as_bytes: bool = False,
) -> ModelInput:
    """The input ``name`` of a file, for a batch and a size.

    Args:
        shape: as in the file; a dynamic dimension is no number.
        batch: images a run; without it what the file fixes, otherwise 1.
        size: height and width, for what the file leaves open.

    Raises:
        InputError: the size is open and not given, something else than batch and size is open, or
            the file fixes another batch or size.
    """
    first, *rest = [length if isinstance(length, int) else None for length in shape] or [None]
    fixed = [length for length in _with_size(name, rest, size) if length is not None]
    if len(fixed) < len(rest):
        raise InputError(
            f"the input {name!r} has shape {list(shape)}; only the batch and the height and width "
            "of an image may be dynamic"
        )
    if batch is not None and first not in (None, batch):
        raise InputError(
            f"the batch is {batch}, but the model always reads {first}; leave the batch out, or "
            "export the model with a dynamic one"
        )
    return ModelInput(name, (first or batch or 1, *fixed) if shape else (), as_bytes)


def _with_size(name: str, lengths: list[int | None], size: Size | None) -> list[int | None]:
    """``lengths``, of all but the batch, with those of the size filled in."""
    channels_known = len(lengths) == 3 and (lengths[0] is not None or lengths[2] is not None)
    if size is None:
        if channels_known and None in lengths:
            raise InputError(
                f"the input {name!r} is an image of any size; say which, for example --size 224,224"
            )
        return lengths
    # Height and width stand behind the channels, or before them.
    for channels, sides in ((0, slice(1, 3)), (2, slice(0, 2))):
        if channels_known and lengths[channels] is not None:
            wanted = zip(lengths[sides], size, strict=True)
            if all(length in (None, side) for length, side in wanted):
                return [*lengths[: sides.start], *size, *lengths[sides.stop :]]
    shown = " x ".join(str(length or "any") for length in lengths)
    raise InputError(
        f"the size is {size[0]} x {size[1]}, but the input {name!r} is always {shown}; leave the "
        "size out, or export the model with --dynamic-size"
    )
