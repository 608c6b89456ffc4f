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

from bdnet_export.opset import DOMAIN, OPERATORS, VERSION, SeparableBlock

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


def _sign_linear(name: str, planes: int) -> Callable[[InferenceContext], None]:
    def infer(ctx: InferenceContext) -> None:
        x, weight = _shape(ctx, 0), _shape(ctx, 1)
        if x is None or weight is None:
            return
        _require_rank(name, "weight", weight, planes + 1)
        channels = ctx.get_attribute("channels").i
        if not x or (isinstance(x[-1], int) and x[-1] != channels):
            raise InferenceError(
                f"{DOMAIN}.{name}: x has shape {x}; expected {channels} values in the last "
                "dimension"
            )
        if isinstance(weight[-1], int) and weight[-1] != -(-channels // 8):
            raise InferenceError(
                f"{DOMAIN}.{name}: a packed filter has {weight[-1]} bytes, {channels} channels "
                f"need {-(-channels // 8)}"
            )
        _set_output(ctx, [*x[:-1], weight[-2]])

    return infer


def _ordered_conv_shape(ctx: InferenceContext, name: str, x: list[Dim]) -> list[Dim]:
    """Of the convolution of x [N, H, W, C] with the second input."""
    weight = _shape(ctx, 1)
    assert weight is not None
    _require_rank(name, "weight", weight, 4)
    if not isinstance(weight[0], int) or not isinstance(weight[1], int):
        return [x[0], None, None, weight[3]]
    windows = _windows(
        x,
        [weight[0], weight[1]],
        _ints(ctx, "strides"),
        _ints(ctx, "pads"),
        _ints(ctx, "dilations"),
    )
    return [x[0], *windows, weight[3]]


def _ordered_conv(ctx: InferenceContext) -> None:
    x, weight = _shape(ctx, 0), _shape(ctx, 1)
    if x is None or weight is None:
        return
    _require_rank("OrderedConv", "x", x, 4)
    _set_output(ctx, _ordered_conv_shape(ctx, "OrderedConv", x))


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


_BLOCK_INPUTS = tuple(SeparableBlock.to_function_proto().input)


def _separable_block(ctx: InferenceContext) -> None:
    shapes = {name: _shape(ctx, place) for place, name in enumerate(_BLOCK_INPUTS)}
    x = shapes.pop("x")
    weights = {name: shapes.pop(name) for name in ("depthwise_weight", "pointwise_weight")}
    depthwise, pointwise = weights["depthwise_weight"], weights["pointwise_weight"]
    if x is None or depthwise is None or pointwise is None:
        return
    _require_rank("SeparableBlock", "x", x, 4)
    channels = ctx.get_attribute("channels").i
    kernel = _ints(ctx, "kernel_shape")
    if isinstance(x[3], int) and x[3] != channels:
        raise InferenceError(
            f"{DOMAIN}.SeparableBlock: x has {x[3]} channels, the block is for {channels}"
        )
    needs = {"depthwise_weight": kernel[0] * kernel[1], "pointwise_weight": channels}
    for name, shape in weights.items():
        assert shape is not None
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in (2, None)):
            raise InferenceError(
                f"{DOMAIN}.SeparableBlock: {name} has shape {shape}; expected [filters, bytes] "
                "or [2, filters, bytes]"
            )
        packed = -(-needs[name] // 8)
        if isinstance(shape[-1], int) and shape[-1] != packed:
            raise InferenceError(
                f"{DOMAIN}.SeparableBlock: a filter of {name} has {shape[-1]} bytes; "
                f"{needs[name]} bits need {packed}"
            )
    if isinstance(depthwise[-2], int) and depthwise[-2] != channels:
        raise InferenceError(
            f"{DOMAIN}.SeparableBlock: depthwise_weight has {depthwise[-2]} filters; "
            f"expected one for each of {channels} channels"
        )
    for name, shape in shapes.items():
        if shape is None:
            continue
        per = pointwise[-2] if name.startswith("pointwise_") else channels
        expected = channels if name == "pointwise_shift" else per
        if len(shape) != 1 or (
            isinstance(shape[0], int)
            and shape[0] != 1
            and isinstance(expected, int)
            and shape[0] != expected
        ):
            raise InferenceError(
                f"{DOMAIN}.SeparableBlock: {name} has shape {shape}; expected [{expected}] or [1]"
            )
    windows = _windows(
        x, kernel, _ints(ctx, "strides"), _ints(ctx, "pads"), _ints(ctx, "dilations")
    )
    _set_output(ctx, [x[0], *windows, pointwise[-2]])


def _ordered_stem(ctx: InferenceContext) -> None:
    image, weight = _shape(ctx, 0), _shape(ctx, 1)
    if image is None or weight is None:
        return
    _require_rank("OrderedStem", "image", image, 4)
    _set_output(ctx, _ordered_conv_shape(ctx, "OrderedStem", [image[i] for i in (0, 2, 3, 1)]))


_INFERENCE: dict[str, Callable[[InferenceContext], None]] = {
    "BinaryConv": _sign_conv("BinaryConv", 1),
    "TernaryConv": _sign_conv("TernaryConv", 2),
    "BinaryLinear": _sign_linear("BinaryLinear", 1),
    "TernaryLinear": _sign_linear("TernaryLinear", 2),
    "OrderedConv": _ordered_conv,
    "OrderedAveragePool": _ordered_average_pool,
    "SeparableBlock": _separable_block,
    "OrderedStem": _ordered_stem,
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
