"""Inspection: what is in an exported file, layer by layer, without running it."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

import bdnet_export.schemas  # noqa: F401  shape inference needs the operators' schemas
import bdnet_runtime
from bdnet import InputError
from bdnet.count import BINARY_OPS_PER_FLOP
from bdnet_export.dynamic_size import at_size
from bdnet_export.file_input import file_images
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import load_model
from bdnet_export.opset import DOMAIN, SeparableBlock
from bdnet_export.per_image import constants, image_loop, loop_body, nodes
from bdnet_runtime.model_input import Size

Shape = tuple[int | str | None, ...]
Weights = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Layer:
    """A custom operator, or a standard one that multiplies by weights.

    Args:
        packed_bytes, int8_bytes, float_bytes: of its packed weights, of its int8 weights, and of
            its other constants.
        binary_ops, flops: multiply-adds of one image; a ternary convolution counts as two binary
            ones. None where a length is not known.
        where: what runs it: our kernel, its body in standard operators, or ONNX Runtime itself.
    """

    name: str
    operator: str
    input_shape: Shape
    output_shape: Shape
    packed_bytes: int
    int8_bytes: int
    float_bytes: int
    binary_ops: int | None
    flops: int | None
    where: str


@dataclass(frozen=True)
class Inspection:
    """What is in an exported file.

    Args:
        inputs, outputs: the shape of each; ``input_types``: such as "uint8".
        operators: how many nodes of each type, custom ones with their domain.
        ops: FLOPs + binary operations / 64 of one image, None where a shape is not known.
    """

    path: str
    bytes: int
    opset: int
    version: str
    metadata: dict[str, str]
    inputs: dict[str, Shape]
    input_types: dict[str, str]
    outputs: dict[str, Shape]
    operators: dict[str, int]
    layers: list[Layer]
    packed_bytes: int
    int8_bytes: int
    float_bytes: int
    ops: float | None

    @property
    def any_size(self) -> bool:
        """The file reads images of any size, and none was given: operations are not counted."""
        return self.ops is None and any(
            isinstance(length, str) for shape in self.inputs.values() for length in shape[1:]
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"schema": 1, **asdict(self)}


def inspect(onnx_path: str | os.PathLike[str], size: Size | None = None) -> Inspection:
    """Reads an exported file.

    Args:
        size: height and width of the images, where the file leaves them open; without it the
            lengths that depend on them are open too, and operations are not counted.

    Raises:
        InputError: not an ONNX model, or not one of ours, or the file reads another size.
    """
    path = Path(onnx_path)
    model = load_model(path)
    metadata = read_metadata(model, path)
    if size is not None:
        for image in file_images(model, path):
            image.image_shape(size)
        model = at_size(model, size)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise InputError(f"the shapes in {path} contradict each other: {error}") from None
    graph = inferred.graph
    shapes = _shapes(inferred)
    tensors = {tensor.name: tensor for tensor in constants(inferred)}
    isa = bdnet_runtime.info()["isa"]
    bodies = {function.name for function in model.functions if function.domain == DOMAIN}
    layers = [
        _layer(node, shapes, tensors, _where(node, bodies, isa))
        for node in nodes(inferred)
        if node.domain == DOMAIN or node.op_type in ("Gemm", "MatMul", "MatMulInteger", "Conv")
    ]
    total = sum(_bytes(t) for t in tensors.values())
    packed, int8 = sum(one.packed_bytes for one in layers), sum(one.int8_bytes for one in layers)
    ops = [
        None
        if layer.binary_ops is None or layer.flops is None
        else layer.flops + layer.binary_ops / BINARY_OPS_PER_FLOP
        for layer in layers
    ]
    return Inspection(
        path=str(path),
        bytes=path.stat().st_size,
        opset=next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
        version=metadata.version,
        metadata={prop.key: prop.value for prop in model.metadata_props},
        inputs={value.name: shapes[value.name] for value in graph.input},
        input_types={
            value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
            for value in graph.input
        },
        outputs={value.name: shapes[value.name] for value in graph.output},
        operators=dict(
            Counter(
                f"{node.domain}.{node.op_type}" if node.domain else node.op_type
                for node in nodes(inferred)
            ).most_common()
        ),
        layers=layers,
        packed_bytes=packed,
        int8_bytes=int8,
        float_bytes=total - packed - int8,
        ops=None if None in ops else math.fsum(x for x in ops if x is not None),
    )


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Of all values, those of the loop over images as of all images."""
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    shapes = {value.name: _shape(value.type.tensor_type) for value in values}
    loop = image_loop(model)
    if loop is not None:
        batch = shapes[graph.input[0].name][:1]
        body = loop_body(loop)
        for value in (*body.input, *body.output, *body.value_info):
            shapes[value.name] = batch + _shape(value.type.tensor_type)[1:]
    return shapes


def _shape(tensor: onnx.TypeProto.Tensor) -> Shape:
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
        for dim in tensor.shape.dim
    )


def _bytes(tensor: onnx.TensorProto) -> int:
    item: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return item * math.prod(int(length) for length in tensor.dims)


def _where(node: onnx.NodeProto, bodies: set[str], isa: str) -> str:
    if node.domain != DOMAIN:
        return "ONNX Runtime"
    kernel = f"bdnet kernel ({isa})"
    return f"{kernel}, or its body" if node.op_type in bodies else f"{kernel} only"


def _product(lengths: tuple[int | str | None, ...]) -> int | None:
    """Product of known lengths; the batch, first and maybe open, is left out by the callers."""
    known = [length for length in lengths if isinstance(length, int)]
    return math.prod(known) if len(known) == len(lengths) else None


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    return next(onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name)


def _sign_conv_work(node: onnx.NodeProto, weights: Weights, values: int) -> int:
    planes = len(weights[1]) - 1
    kernel_height, kernel_width = (int(k) for k in _attribute(node, "kernel_shape"))
    return values * planes * kernel_height * kernel_width * int(_attribute(node, "channels"))


def _sign_linear_work(node: onnx.NodeProto, weights: Weights, values: int) -> int:
    return values * (len(weights[1]) - 1) * int(_attribute(node, "channels"))


def _separable_block_work(node: onnx.NodeProto, weights: Weights, values: int) -> int:
    depthwise, pointwise = (weights[_BLOCK_INPUTS.index(f"{role}_weight")] for role in _ROLES)
    channels = int(_attribute(node, "channels"))
    pixels = values // pointwise[-2]
    kernel_height, kernel_width = (int(k) for k in _attribute(node, "kernel_shape"))
    first = pixels * channels * (len(depthwise) - 1) * kernel_height * kernel_width
    return first + values * (len(pointwise) - 1) * channels


def _ordered_conv_work(node: onnx.NodeProto, weights: Weights, values: int) -> int:
    return values * math.prod(weights[1][:3])


def _conv_work(node: onnx.NodeProto, weights: Weights, values: int) -> int:
    return values * math.prod(weights[1][1:])


def _matmul_work(node: onnx.NodeProto, weights: Weights, values: int) -> int | None:
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    weight = weights[1]
    return values * weight[1 if transposed else 0] if len(weight) == 2 else None


_ROLES = ("depthwise", "pointwise")
_BLOCK_INPUTS = tuple(SeparableBlock.to_function_proto().input)

_WORK: dict[str, Callable[[onnx.NodeProto, Weights, int], int | None]] = {
    "BinaryConv": _sign_conv_work,
    "TernaryConv": _sign_conv_work,
    "BinaryLinear": _sign_linear_work,
    "TernaryLinear": _sign_linear_work,
    "SeparableBlock": _separable_block_work,
    "OrderedConv": _ordered_conv_work,
    "OrderedStem": _ordered_conv_work,
    "Conv": _conv_work,
    "Gemm": _matmul_work,
    "MatMul": _matmul_work,
    "MatMulInteger": _matmul_work,
}
"""Multiply-adds of one image, from the shapes of the constants (none: not a constant) by their
place among the inputs, and the number of values of the output."""

_BINARY = ("BinaryConv", "TernaryConv", "BinaryLinear", "TernaryLinear", "SeparableBlock")


def _layer(
    node: onnx.NodeProto,
    shapes: dict[str, Shape],
    constants: dict[str, onnx.TensorProto],
    where: str,
) -> Layer:
    own = [constants[name] for name in node.input if name in constants]
    of_bytes = sum(_bytes(t) for t in own if t.data_type == onnx.TensorProto.UINT8)
    packed, int8 = (of_bytes, 0) if node.domain == DOMAIN else (0, of_bytes)
    output = shapes.get(node.output[0], ())
    work: int | None = 0
    if node.op_type in _WORK:
        weights = [tuple(constants[name].dims) if name in constants else () for name in node.input]
        values = _product(output[1:])
        known = values is not None and node.input[1] in constants
        work = _WORK[node.op_type](node, weights, values or 0) if known else None
    binary = node.op_type in _BINARY
    return Layer(
        name=node.name,
        operator=f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
        input_shape=shapes.get(node.input[0], ()),
        output_shape=output,
        packed_bytes=packed,
        int8_bytes=int8,
        float_bytes=sum(_bytes(t) for t in own) - of_bytes,
        binary_ops=work if binary else 0,
        flops=0 if binary else work,
        where=where,
    )
