"""Exported files as protobufs: reading them, and what can be asked of them without running them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from bdnet import InputError
from bdnet.deployment import constants_digest
from bdnet_export.opset import DOMAIN
from bdnet_export.per_image import constants, lead_out, nodes, outside


def load_model(path: Path) -> onnx.ModelProto:
    """The file at ``path`` as a protobuf. Raises `InputError` where it is not an ONNX model."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; make it with 'bdnet-export export'")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError has no public home
        raise InputError(f"{path} is not an ONNX model ({error})") from None
    if not model.graph.output:
        raise InputError(f"{path} is not an ONNX model, or has no outputs")
    return model


def file_digest(model: onnx.ModelProto) -> str:
    """`DeployedNet.digest` of the constants as they stand in a file."""
    arrays = {tensor.name: _array(tensor) for tensor in constants(model)}
    return constants_digest(
        (name, str(array.dtype), array.shape, np.ascontiguousarray(array).tobytes())
        for name, array in sorted(arrays.items())
    )


def _array(tensor: onnx.TensorProto) -> npt.NDArray[Any]:
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"the constant {tensor.name} of the file is damaged: {error}; export the model again"
        ) from None


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> bytes:
    """The model with further float32 values among its outputs, serialised."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    present = {output.name for output in model.graph.output}
    for name in names:
        if name not in present:
            lead_out(extended, name)
            extended.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
    return bytes(extended.SerializeToString())


def fixed_batch(proto: onnx.ModelProto) -> int | None:
    """The batch of the file's first input, or None where it is open."""
    dim = proto.graph.input[0].type.tensor_type.shape.dim[0]
    return dim.dim_value if dim.HasField("dim_value") else None


def fused_blocks(proto: onnx.ModelProto) -> dict[str, str]:
    """The file's fused pairs of units: what each is called, by the value it puts out.

    It is called after the block that both units are in or, where there is none, after the second.
    """
    return {
        outside(node.output[0]): node.name.rpartition("/")[0] for node in _separable_blocks(proto)
    }


def fused_away(proto: onnx.ModelProto) -> str | None:
    """A note of the layers whose output is no value of the file, where there are any."""
    count = sum(node.domain == DOMAIN and node.op_type == "SeparableBlock" for node in nodes(proto))
    if count == 0:
        return None
    return (
        f"{count} depth-wise layers stand inside fused operators, so the file has no values of "
        "theirs to compare; 'export --no-fuse' writes one that has"
    )


def layers_in_file(proto: onnx.ModelProto, layers: Sequence[str]) -> tuple[str, ...]:
    """Those of a network's ``layers`` that the file has, which are all not inside fused blocks."""
    # What leaves a depth-wise unit is inside; the name of its weights is its path.
    inside = {node.input[1].removesuffix(".conv.weight") for node in _separable_blocks(proto)}
    return tuple(layer for layer in layers if layer not in inside)


def _separable_blocks(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [n for n in nodes(proto) if n.domain == DOMAIN and n.op_type == "SeparableBlock"]
