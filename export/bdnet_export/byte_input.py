"""Image bytes as a file's input: what makes a network's input of them, inside the file.

The contract's preprocessing (`bdnet.Preprocessing`) as standard operators, each step rounded:

    image uint8 [N, H, W, C] ─► Transpose ─► Cast ─► Div 255 ─► Sub mean ─► Div std ─► [N, C, H, W]

Exact because each operator is the step of NumPy's of the same name: division by IEEE 754, and no
reciprocal. ONNX Runtime optimises none of them: it has fusions of a division by a product, which is
why there is none here, and folds nothing that comes from an input.

The bytes are transposed before they are cast, a quarter of what they are as floats. A table of what
each byte becomes would be as exact, and its Gather takes four times as long (docs/export.md). Mean
and standard deviation are Constant nodes and no initialisers, so that the digest of the constants
is that of the network.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bdnet import InputError, Preprocessing
from bdnet_export.input_shapes import InputShape

_FULL_RANGE = 255


def require_byte_preprocessing(preprocessing: Preprocessing | None, channels: int) -> Preprocessing:
    """``preprocessing``, if a file of image bytes can have it inside.

    Args:
        channels: of the network's input.

    Raises:
        InputError: there is none, it is for another number of channels, or not every byte becomes a
            finite float32 by it.
    """
    if preprocessing is None:
        raise InputError(
            "an input of bytes needs the mean and the standard deviation of each channel, which "
            "the network given does not say; give both, in units of the full range"
        )
    if len(preprocessing.mean) != channels:
        raise InputError(
            f"mean and std are for {len(preprocessing.mean)} channels, but the network reads "
            f"{channels}; give one number of each for every channel"
        )
    every_byte = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    with np.errstate(all="ignore"):
        becomes = preprocessing(np.repeat(every_byte, channels, axis=1))
    if not np.isfinite(becomes).all():
        raise InputError(
            f"by mean {preprocessing.mean} and std {preprocessing.std} some bytes become no finite "
            "float32; give numbers in units of the full range, 0 to 1"
        )
    return preprocessing


def byte_inputs(
    shapes: Mapping[str, InputShape], preprocessing: Preprocessing | None
) -> tuple[str, ...]:
    """Which inputs of a module read bytes by ``preprocessing``: images of as many channels.

    Args:
        shapes: of each input by its name.

    Raises:
        InputError: there is no such input, or as `require_byte_preprocessing`.
    """
    channels = {name: shape[0] for name, shape in shapes.items() if len(shape) == 3}
    if not channels:
        raise InputError(
            "no input is an image [N, C, H, W], so none can be read as bytes; leave out "
            "--input uint8"
        )
    wanted = len(preprocessing.mean) if preprocessing is not None else 0
    names = tuple(name for name, count in channels.items() if count == wanted)
    require_byte_preprocessing(preprocessing, wanted if names else next(iter(channels.values())))
    return names


def read_bytes(model: onnx.ModelProto, name: str, preprocessing: Preprocessing) -> str:
    """Makes the input ``name``, float32 [N, C, H, W], one of bytes [N, H, W, C].

    Args:
        model: changed in place. Nodes that are added are called after the input.

    Returns:
        The value that the input was: normalised, float32 [N, C, H, W].
    """
    graph = model.graph
    prefix = _free_prefix(graph, name)
    (given,) = (value for value in graph.input if value.name == name)
    batch, channels, height, width = given.type.tensor_type.shape.dim
    read = onnx.ValueInfoProto(name=name)
    read.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    read.type.tensor_type.shape.dim.extend([batch, height, width, channels])

    def per_channel(numbers: tuple[float, ...]) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(numbers, np.float32).reshape(-1, 1, 1))

    nodes = [
        helper.make_node("Transpose", [name], [f"{prefix}/Transpose"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "Cast", [f"{prefix}/Transpose"], [f"{prefix}/Cast"], to=onnx.TensorProto.FLOAT
        ),
    ]
    last = f"{prefix}/Cast"
    for step, operator, numbers in (
        ("full_range", "Div", numpy_helper.from_array(np.array(_FULL_RANGE, np.float32))),
        ("mean", "Sub", per_channel(preprocessing.mean)),
        ("std", "Div", per_channel(preprocessing.std)),
    ):
        constant, value = f"{prefix}/{step}/Constant", f"{prefix}/{step}/{operator}"
        nodes.append(helper.make_node("Constant", [], [constant], value=numbers))
        nodes.append(helper.make_node(operator, [last, constant], [value]))
        last = value
    for node in nodes:
        node.name = node.output[0]
    _read_instead(graph, name, last)
    given.CopyFrom(read)
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    return last


def _free_prefix(graph: onnx.GraphProto, name: str) -> str:
    """``name``, or where a module is called so too, something longer."""
    prefix = name
    while any(value.startswith(f"{prefix}/") for node in graph.node for value in node.output):
        prefix += ".bytes"
    return prefix


def _read_instead(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Whatever reads ``old``, bodies of nodes too, reads ``new``; an output keeps its name."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                _read_instead(body, old, new)
