"""The operators' schemas with their shape inference, derived from the specification in opset.py.

Registered when the module is imported: the exporter asks onnx for a schema before it writes a
node, the checker validates nodes against it, and strict shape inference needs its function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnx.defs import OpSchema
from onnx.shape_inference import InferenceContext, InferenceError
from onnxscript import OnnxFunction

from bdnet_export.opset import DOMAIN, OPERATORS, VERSION

_ELEMENT_TYPES = {"FLOAT": "tensor(float)", "UINT8": "tensor(uint8)"}

Dim = int | str | None
"""A length, the name of a length to be known later, or nothing known."""


def _shape(ctx: InferenceContext, index: int) -> list[Dim] | None:
    tensor = ctx.get_input_type(index).tensor_type
    if not tensor.HasField("shape"):
        return None
    return [
        dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
        for dim in tensor.shape.dim
    ]


def _set_output(ctx: InferenceContext, shape: list[Dim]) -> None:
    ctx.set_output_type(0, onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, shape))


def _require_rank(name: str, what: str, shape: list[Dim], rank: int) -> None:
    if len(shape) != rank:
        raise InferenceError(
            f"{DOMAIN}.{name}: {what} has shape {shape}; expected {rank} dimensions"
        )


def _extent(size: Dim, before: int, after: int, kernel: int, stride: int, dilation: int) -> Dim:
    if not isinstance(size, int):
        return None
    if min(kernel, stride, dilation) < 1:
        raise InferenceError(
            f"{DOMAIN}: kernel {kernel}, stride {stride} and dilation {dilation} must be positive"
        )
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def _windows(
    shape: list[Dim], kernel: list[int], strides: list[int], pads: list[int], dilations: list[int]
) -> list[Dim]:
    return [
        _extent(shape[1], pads[0], pads[2], kernel[0], strides[0], dilations[0]),
        _extent(shape[2], pads[1], pads[3], kernel[1], strides[1], dilations[1]),
    ]


def _ints(ctx: InferenceContext, name: str) -> list[int]:
    return list(ctx.get_attribute(name).ints)


def _sign_conv(name: str, planes: int) -> Callable[[InferenceContext], None]:
    def infer(ctx: InferenceContext) -> None:
        x, weight = _shape(ctx, 0), _shape(ctx, 1)
        if x is None or weight is None:
            return
        _require_rank(name, "x", x, 4)
        _require_rank(name, "weight", weight, planes + 1)
        kernel = _ints(ctx, "kernel_shape")
        channels, group = ctx.get_attribute("channels").i, ctx.get_attribute("group").i
        if isinstance(x[3], int) and x[3] != channels * group:
            raise InferenceError(
                f"{DOMAIN}.{name}: x has {x[3]} channels, the packed weights are for "
                f"{channels * group} (group {group} x channels {channels})"
            )
        packed = -(-kernel[0] * kernel[1] * channels // 8)
        if isinstance(weight[-1], int) and weight[-1] != packed:
            raise InferenceError(
                f"{DOMAIN}.{name}: a packed filter has {weight[-1]} bytes, {kernel[0]} x "
                f"{kernel[1]} taps of {channels} channels need {packed}"
            )
        windows = _windows(
            x, kernel, _ints(ctx, "strides"), _ints(ctx, "pads"), _ints(ctx, "dilations")
        )
        _set_output(ctx, [x[0], *windows, weight[-2]])

    return infer


def _ordered_conv(ctx: InferenceContext) -> None:
    x, weight = _shape(ctx, 0), _shape(ctx, 1)
    if x is None or weight is None:
        return
    _require_rank("OrderedConv", "x", x, 4)
    _require_rank("OrderedConv", "weight", weight, 4)
    if not isinstance(weight[0], int) or not isinstance(weight[1], int):
        _set_output(ctx, [x[0], None, None, weight[3]])
        return
    windows = _windows(
        x,
        [weight[0], weight[1]],
        _ints(ctx, "strides"),
        _ints(ctx, "pads"),
        _ints(ctx, "dilations"),
    )
    _set_output(ctx, [x[0], *windows, weight[3]])


def _ordered_average_pool(ctx: InferenceContext) -> None:
    x = _shape(ctx, 0)
    if x is None:
        return
    _require_rank("OrderedAveragePool", "x", x, 4)
    windows: list[Dim] = [
        -(-size // k) if isinstance(size, int) else None
        for size, k in zip(x[1:3], _ints(ctx, "kernel_shape"), strict=True)
    ]
    _set_output(ctx, [x[0], *windows, x[3]])


_INFERENCE: dict[str, Callable[[InferenceContext], None]] = {
    "BinaryConv": _sign_conv("BinaryConv", 1),
    "TernaryConv": _sign_conv("TernaryConv", 2),
    "OrderedConv": _ordered_conv,
    "OrderedAveragePool": _ordered_average_pool,
}


def _schema(function: OnnxFunction[..., Any]) -> OpSchema:
    proto = function.to_function_proto()
    annotations = function.function.__annotations__
    attributes = [
        OpSchema.Attribute(
            name,
            OpSchema.AttrType.INT if annotations[name] is int else OpSchema.AttrType.INTS,
            required=True,
        )
        for name in proto.attribute
    ]
    schema = OpSchema(
        proto.name,
        DOMAIN,
        VERSION,
        doc=function.function.__doc__ or "",
        inputs=[
            OpSchema.FormalParameter(name, _ELEMENT_TYPES[annotations[name].__name__])
            for name in proto.input
        ],
        outputs=[OpSchema.FormalParameter("y", _ELEMENT_TYPES["FLOAT"])],
        attributes=attributes,
    )
    schema.set_type_and_shape_inference_function(_INFERENCE[proto.name])
    return schema


def _register() -> None:
    for function in OPERATORS:
        schema = _schema(function)
        if not onnx.defs.has(schema.name, DOMAIN):
            onnx.defs.register_schema(schema)


_register()
