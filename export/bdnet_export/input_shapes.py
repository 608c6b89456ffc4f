"""The inputs of a module: what its forward calls them, and the shape of each."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from torch import nn

from bdnet import InputError

InputShape = tuple[int, ...]
"""Of one input, without the batch; of an image (C, H, W)."""

GivenShapes = Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]]
"""Of the one input, of each in the order of the forward, or of each by its name."""


def named_shapes(model: nn.Module, given: GivenShapes) -> dict[str, InputShape]:
    """The shape of each input by the name that the module's own forward gives it, in its order.

    Raises:
        InputError: a length is not positive, an input has no shape, or there is no such input.
    """
    names, needed, more = _parameters(model)
    if isinstance(given, Mapping):
        shapes = {name: tuple(shape) for name, shape in given.items()}
        missing = [name for name in needed if name not in shapes]
        unknown = [name for name in shapes if name not in names]
        skipped = names[: len(shapes)] != [name for name in names if name in shapes]
        if missing or unknown or skipped:
            raise _other_inputs(model, names, ", ".join(shapes))
        shapes = {name: shapes[name] for name in names if name in shapes}
    else:
        each = _each(given)
        if more:
            names += [f"input_{index}" for index in range(len(names), len(each))]
        if not len(needed) <= len(each) <= len(names):
            raise _other_inputs(model, names, str(len(each)))
        shapes = dict(zip(names, each, strict=False))
    if any(not shape or min(shape) < 1 for shape in shapes.values()):
        raise InputError(
            f"the input shape is {given}; expected positive lengths, without the batch"
        )
    return shapes


def _each(given: Sequence[int] | Sequence[Sequence[int]]) -> list[InputShape]:
    lengths = tuple(length for length in given if isinstance(length, int))
    several = [tuple(shape) for shape in given if isinstance(shape, Sequence)]
    return several or [lengths]


def _parameters(model: nn.Module) -> tuple[list[str], list[str], bool]:
    """Names of what the forward takes by position; those without a default; whether also more."""
    parameters = inspect.signature(model.forward).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [parameter for parameter in parameters if parameter.kind in kinds]
    needed = [p.name for p in taken if p.default is inspect.Parameter.empty]
    more = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    return [parameter.name for parameter in taken], needed, more


def _other_inputs(model: nn.Module, names: Sequence[str], given: str) -> InputError:
    example = " ".join(f"--input-shape {name}=3,64,64" for name in names)
    return InputError(
        f"{type(model).__name__}.forward reads {', '.join(names)}; shapes given: {given}; give one "
        f"for each, such as {example}, or from Python input_shape={{{names[0]!r}: (3, 64, 64)}}"
        if names
        else f"{type(model).__name__}.forward reads no inputs, so there is nothing to export"
    )
