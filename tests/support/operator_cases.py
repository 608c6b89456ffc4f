"""Cases for the operators of ai.bdnet: shapes, inputs, and the one-node model of each.

A case can be run four ways (kernel in ONNX Runtime, body in ONNX Runtime, body in onnx's
reference evaluator, PyTorch), which share no code with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    """One operator with its attributes, its input and its weights."""

    operator: str
    attributes: dict[str, Any]
    x: Array
    weight: Array | None = None

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
        np.stack(planes) if ternary else planes[0],
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
        rng.standard_normal((*kernel, channels, filters)).astype(np.float32),
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


def one_node_model(case: Case, *, opset: int = 18, body: bool = True) -> onnx.ModelProto:
    """The case's operator as a model: input ``x`` with an open batch, output ``y``."""
    inputs, initialisers = ["x"], []
    if case.weight is not None:
        inputs.append("weight")
        initialisers.append(onnx.numpy_helper.from_array(case.weight, "weight"))
    node = onnx.helper.make_node(
        case.operator, inputs, ["y"], name="node", domain=DOMAIN, **case.attributes
    )
    shape = ["N", *case.x.shape[1:]]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [node],
            "case",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * 4)],
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
    if case.operator == "OrderedAveragePool":
        y = operators.ordered_average_pool(x, a["kernel_shape"])
    elif case.operator == "OrderedConv":
        weight = torch.from_numpy(case.weight)
        y = operators.ordered_conv(x, weight, a["strides"], a["pads"], a["dilations"])
    else:
        operator = (
            operators.ternary_conv if case.operator == "TernaryConv" else operators.binary_conv
        )
        y = operator(
            x,
            torch.from_numpy(case.weight),
            a["kernel_shape"],
            a["channels"],
            a["strides"],
            a["pads"],
            a["dilations"],
            a["group"],
            a["pad_value"],
        )
    return y.numpy()


def assert_equal(expected: Array, got: Array, what: object) -> None:
    """Equality of the numerical contract: IEEE ==, NaN equal to NaN."""
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: {got.shape}, expected {expected.shape}"
    wrong = (expected != got) & ~(np.isnan(expected) & np.isnan(got))
    assert not wrong.any(), (
        f"{what}: {wrong.sum()} of {wrong.size} values differ, first at "
        f"{np.argwhere(wrong)[0].tolist()}: expected {expected[wrong][0]}, got {got[wrong][0]}"
    )
