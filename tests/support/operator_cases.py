"""Cases for the operators of ai.bdnet: shapes, inputs, and the one-node model of each.

A case can be run four ways (kernel in ONNX Runtime, body in ONNX Runtime, body in onnx's
reference evaluator, PyTorch), which share no code with each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from bdnet import operators
from bdnet.packing import pack_plane
from bdnet_export.bodies import operator_bodies
from bdnet_export.opset import DOMAIN, VERSION

Array = npt.NDArray[Any]

SPECIAL_VALUES = (0.0, -0.0, 1e-45, -1e-45, 1.17e-38, -1.17e-38, np.nan, np.inf, -np.inf)


@dataclass(frozen=True)
class Case:
    """One operator with its attributes, its input and its constants, in the operator's order."""

    operator: str
    attributes: dict[str, Any]
    x: Array
    constants: dict[str, Array] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.operator} x={list(self.x.shape)} {self.attributes}"


def sign_conv_case(
    rng: np.random.Generator,
    *,
    ternary: bool,
    channels: int,
    filters: int,
    group: int = 1,
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1),
    dilations: tuple[int, int] = (1, 1),
    pad_value: int = 0,
    size: tuple[int, int] = (7, 5),
    batch: int = 1,
) -> Case:
    """A BinaryConv or TernaryConv of random weights on noise that holds every special value.

    ``channels`` and ``filters`` are those of one group.
    """
    x = rng.standard_normal((batch, *size, group * channels)).astype(np.float32)
    flat = x.reshape(-1)
    places = rng.permutation(flat.size)[: len(SPECIAL_VALUES)]
    flat[places] = np.array(SPECIAL_VALUES, np.float32)[: len(places)]
    planes = [
        pack_plane(torch.from_numpy(rng.random((group * filters, channels, *kernel)) < 0.5)).numpy()
        for _ in range(2 if ternary else 1)
    ]
    return Case(
        "TernaryConv" if ternary else "BinaryConv",
        {
            "kernel_shape": list(kernel),
            "channels": channels,
            "strides": list(strides),
            "pads": list(pads),
            "dilations": list(dilations),
            "group": group,
            "pad_value": pad_value,
            "packing_version": 1,
        },
        x,
        {"weight": np.stack(planes) if ternary else planes[0]},
    )


def sign_linear_case(
    rng: np.random.Generator,
    *,
    ternary: bool,
    channels: int,
    filters: int,
    rows: Sequence[int] = (1,),
) -> Case:
    """A BinaryLinear or TernaryLinear of random weights on noise that holds every special value.

    ``rows`` are the dimensions of the input before the last.
    """
    conv = sign_conv_case(
        rng,
        ternary=ternary,
        channels=channels,
        filters=filters,
        kernel=(1, 1),
        size=(1, 1),
        batch=math.prod(rows),
    )
    return Case(
        "TernaryLinear" if ternary else "BinaryLinear",
        {"channels": channels, "packing_version": 1},
        conv.x.reshape(*rows, channels),
        conv.constants,
    )


def ordered_conv_case(
    rng: np.random.Generator,
    *,
    channels: int,
    filters: int,
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (2, 2),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1),
    dilations: tuple[int, int] = (1, 1),
    size: tuple[int, int] = (9, 7),
    batch: int = 1,
) -> Case:
    """An OrderedConv of normal weights on normal noise."""
    return Case(
        "OrderedConv",
        {"strides": list(strides), "pads": list(pads), "dilations": list(dilations)},
        rng.standard_normal((batch, *size, channels)).astype(np.float32),
        {"weight": rng.standard_normal((*kernel, channels, filters)).astype(np.float32)},
    )


def ordered_pool_case(
    rng: np.random.Generator,
    *,
    channels: int,
    kernel: tuple[int, int] = (2, 2),
    size: tuple[int, int] = (7, 5),
    batch: int = 1,
) -> Case:
    """An OrderedAveragePool of normal noise."""
    x = rng.standard_normal((batch, *size, channels)).astype(np.float32)
    return Case("OrderedAveragePool", {"kernel_shape": list(kernel)}, x)


def ordered_stem_case(
    rng: np.random.Generator,
    *,
    channels: int,
    filters: int,
    **shape: Any,
) -> Case:
    """An OrderedStem: an `ordered_conv_case` of an NCHW image, with its normalisation."""
    conv = ordered_conv_case(rng, channels=channels, filters=filters, **shape)
    bn_mul, bn_add = rng.standard_normal((2, filters)).astype(np.float32)
    image = np.ascontiguousarray(conv.x.transpose(0, 3, 1, 2))
    constants = conv.constants | {"bn_mul": bn_mul, "bn_add": bn_add}
    return Case("OrderedStem", conv.attributes, image, constants)


CONSTANTS = ("shift", "scale", "bn_mul", "bn_add", "shift_in", "slope", "shift_out")
"""Float constants of a unit of SeparableBlock, in order; the weights stand before them."""


def separable_block_case(
    rng: np.random.Generator,
    *,
    channels: int,
    filters: int,
    ternary: tuple[bool, bool] = (True, False),
    residual: tuple[int, int] = (1, 1),
    rectify: tuple[int, int] = (0, 0),
    neutral: Sequence[str] = (),
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1),
    dilations: tuple[int, int] = (1, 1),
    pad_value: int = 0,
    size: tuple[int, int] = (7, 5),
    batch: int = 1,
) -> Case:
    """A SeparableBlock on noise in which every eighth value is a special one.

    Its constants hold factors from which denormals and infinities come.

    Args:
        ternary, residual, rectify: of the depth-wise and of the point-wise unit.
        neutral: constants (as ``depthwise_scale``) that a unit does not have: [1], not a channel.
    """
    x = rng.standard_normal((batch, *size, channels)).astype(np.float32)
    chosen = rng.random(x.shape) < 1 / 8
    x[chosen] = rng.choice(np.array(SPECIAL_VALUES, np.float32), int(chosen.sum()))
    constants: dict[str, Array] = {}
    for role, taps, count, planes in (
        ("depthwise", (1, *kernel), channels, 1 + ternary[0]),
        ("pointwise", (channels, 1, 1), filters, 1 + ternary[1]),
    ):
        packed = [
            pack_plane(torch.from_numpy(rng.random((count, *taps)) < 0.5)).numpy()
            for _ in range(planes)
        ]
        constants[f"{role}_weight"] = np.stack(packed) if planes == 2 else packed[0]
        for name in CONSTANTS:
            length = channels if name == "shift" else count
            values = rng.standard_normal(length).astype(np.float32)
            if name in ("scale", "bn_mul"):
                extreme = rng.random(length) < 1 / 8
                values[extreme] *= rng.choice([1e30, 1e-38], int(extreme.sum()))
            if f"{role}_{name}" in neutral:
                values = np.array([name in ("scale", "bn_mul", "slope")], np.float32)
            constants[f"{role}_{name}"] = values
    return Case(
        "SeparableBlock",
        {
            "kernel_shape": list(kernel),
            "strides": list(strides),
            "pads": list(pads),
            "dilations": list(dilations),
            "pad_value": pad_value,
            "channels": channels,
            "depthwise_residual": residual[0],
            "depthwise_rectify": rectify[0],
            "pointwise_residual": residual[1],
            "pointwise_rectify": rectify[1],
            "packing_version": 1,
        },
        x,
        constants,
    )


def one_node_model(case: Case, *, opset: int = 18, body: bool = True) -> onnx.ModelProto:
    """The case's operator as a model: input ``x`` with an open batch, output ``y``."""
    initialisers = [onnx.numpy_helper.from_array(v, name) for name, v in case.constants.items()]
    node = onnx.helper.make_node(
        *(case.operator, ["x", *case.constants], ["y"]),
        name="node",
        domain=DOMAIN,
        **case.attributes,
    )
    shape = ["N", *case.x.shape[1:]]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [node],
            "case",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * case.x.ndim)],
            initialisers,
        ),
        opset_imports=[
            onnx.helper.make_opsetid("", opset),
            onnx.helper.make_opsetid(DOMAIN, VERSION),
        ],
        ir_version=10,
    )
    if body:
        model.functions.append(operator_bodies(opset)[case.operator])
    return model


def in_pytorch(case: Case) -> Array:
    """The case's result by bdnet's own reference."""
    x = torch.from_numpy(case.x)
    a = case.attributes
    c = {name: torch.from_numpy(value) for name, value in case.constants.items()}
    spatial = [a.get(name) for name in ("strides", "pads", "dilations")]
    if case.operator == "OrderedAveragePool":
        y = operators.ordered_average_pool(x, a["kernel_shape"])
    elif case.operator == "OrderedConv":
        y = operators.ordered_conv(x, c["weight"], *spatial)
    elif case.operator == "OrderedStem":
        y = operators.ordered_conv(x.permute(0, 2, 3, 1), c["weight"], *spatial)
        y = y * c["bn_mul"]
        y = y + c["bn_add"]
    elif case.operator in ("BinaryLinear", "TernaryLinear"):
        binary = case.operator == "BinaryLinear"
        linear = operators.binary_linear if binary else operators.ternary_linear
        y = linear(x, c["weight"], a["channels"])
    elif case.operator == "SeparableBlock":
        kernel, channels = a["kernel_shape"], a["channels"]
        depthwise = [kernel, 1, *spatial, channels, a["pad_value"]]
        x = _unit_in_pytorch(x, "depthwise", a, c, depthwise)
        pointwise = [[1, 1], channels, [1, 1], [0, 0, 0, 0], [1, 1], 1, 0]
        y = _unit_in_pytorch(x, "pointwise", a, c, pointwise)
    else:
        operator = (
            operators.ternary_conv if case.operator == "TernaryConv" else operators.binary_conv
        )
        y = operator(
            *(x, c["weight"], a["kernel_shape"], a["channels"], *spatial),
            *(a["group"], a["pad_value"]),
        )
    return y.numpy()


def _unit_in_pytorch(
    x: torch.Tensor,
    role: str,
    attributes: dict[str, Any],
    constants: dict[str, torch.Tensor],
    convolution: list[Any],
) -> torch.Tensor:
    """Rule 5 of docs/numerics.md, step by step."""
    weight = constants[f"{role}_weight"]
    shift, scale, bn_mul, bn_add, shift_in, slope, shift_out = (
        constants[f"{role}_{name}"] for name in CONSTANTS
    )
    operator = operators.ternary_conv if weight.dim() == 3 else operators.binary_conv
    residual, strides = attributes[f"{role}_residual"], convolution[2]
    across = x
    if residual:
        if strides != [1, 1]:
            across = operators.ordered_average_pool(x, strides)
        across = across[..., torch.arange(weight.shape[-2]) % x.shape[3]]
    t = operator(x + shift, weight, *convolution)
    t = t * scale
    t = t + across if residual == 1 else t
    t = t * bn_mul
    t = t + bn_add
    t = t + across if residual == 2 else t
    t = t + shift_in
    t = torch.where(t < 0, 0 if attributes[f"{role}_rectify"] else t * slope, t)
    return t + shift_out


def assert_equal(expected: Array, got: Array, what: object) -> None:
    """Equality of the numerical contract: IEEE ==, NaN equal to NaN."""
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: {got.shape}, expected {expected.shape}"
    wrong = (expected != got) & ~(np.isnan(expected) & np.isnan(got))
    assert not wrong.any(), (
        f"{what}: {wrong.sum()} of {wrong.size} values differ, first at "
        f"{np.argwhere(wrong)[0].tolist()}: expected {expected[wrong][0]}, got {got[wrong][0]}"
    )
