"""Files that read images of any height and width.

A network is traced with both sides open: each length in the file is a number, or an expression of
``height`` and ``width``, and none is the example's. The operators and their bodies read lengths
from what they are given, and so does the loop over images (`bdnet_export.per_image`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import onnx
import torch
from torch import Tensor
from torch.export import Dim

from bdnet import InputError
from bdnet_export.per_image import image_loop, loop_body
from bdnet_runtime.model_input import Size

_RANK = 4
_HEIGHT, _WIDTH = 2, 3  # of [N, C, H, W]
_OF_SIZE = re.compile(r"\b(height|width)")


def open_lengths(
    examples: Sequence[Tensor], *, batch: bool, size: bool
) -> tuple[dict[int, Dim], ...] | None:
    """The axes of each input that torch.export leaves open; None: there are none.

    Args:
        batch: the first axis is open; ``size``: those of an image [N, C, H, W] behind its channels.
    """
    if not batch and not size:
        return None
    every = Dim("batch")
    found = []
    for number, example in enumerate(examples, 1):
        axes = {0: every} if batch else {}
        if size and example.dim() == _RANK:
            more = "" if number == 1 else f"_{number}"
            axes |= {_HEIGHT: Dim(f"height{more}"), _WIDTH: Dim(f"width{more}")}
        found.append(axes)
    return tuple(found)


def require_any_size(program: torch.export.ExportedProgram, network: str) -> None:
    """Raises `InputError` where a network was traced with open sides and takes only some.

    torch.export does not refuse it: it fixes a side, or assumes that two lengths are equal.
    """
    images = [
        node.meta["val"].shape
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    sides = [image[axis] for image in images if len(image) == _RANK for axis in (_HEIGHT, _WIDTH)]
    if all(isinstance(side, torch.SymInt) for side in sides) and not _assumes_equal(sides):
        return
    raise InputError(
        f"the network ({network}) works for some sizes of images only, as where a map is flattened "
        "into a Linear or a shortcut fits even sizes alone; end it in a global average, pad it, or "
        "leave out --dynamic-size"
    )


def _assumes_equal(sides: Sequence[torch.SymInt]) -> bool:
    """Whether torch.export has left a condition of equality that one of the sides stands in."""
    for side in sides:
        for assertions in side.node.shape_env.deferred_runtime_asserts.values():
            for condition in (assertion.expr for assertion in assertions):
                if getattr(condition, "rel_op", None) == "==" and (
                    condition.free_symbols & side.node.expr.free_symbols
                ):
                    return True
    return False


def reads_any_size(model: onnx.ModelProto) -> bool:
    """Whether a file leaves the size of an image open."""
    return any(
        dim.HasField("dim_param")
        for value in model.graph.input
        for dim in value.type.tensor_type.shape.dim[1:]
    )


def at_size(model: onnx.ModelProto, size: Size) -> onnx.ModelProto:
    """A copy of a file's model that reads images of one size, each of them, for shape inference.

    The lengths in it that depend on the size are left out.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    graphs = [fixed.graph]
    loop = image_loop(fixed)
    if loop is not None:
        graphs.append(loop_body(loop))
    for graph in graphs:
        for value in (*graph.input, *graph.output, *graph.value_info):
            for dim in value.type.tensor_type.shape.dim:
                if _OF_SIZE.search(dim.dim_param):
                    dim.Clear()
        for value in graph.input:
            given = value.type.tensor_type
            if len(given.shape.dim) != _RANK:
                continue
            first = 1 if given.elem_type == onnx.TensorProto.UINT8 else _HEIGHT
            for axis, length in enumerate(size, first):
                given.shape.dim[axis].dim_value = length
    return fixed
