"""Shape inference of the operators: the shapes that come out, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.shape_inference import InferenceError, infer_shapes

import bdnet_export.schemas  # noqa: F401  registers them
from support.operator_cases import (
    Case,
    in_pytorch,
    one_node_model,
    ordered_conv_case,
    ordered_pool_case,
    ordered_stem_case,
    separable_block_case,
    sign_conv_case,
)

RNG = np.random.default_rng(5)

CASES = [
    sign_conv_case(RNG, ternary=False, channels=9, filters=4, strides=(2, 1), pads=(0, 1, 2, 1)),
    sign_conv_case(RNG, ternary=True, channels=1, filters=1, group=5, dilations=(2, 1)),
    ordered_conv_case(RNG, channels=3, filters=8, strides=(2, 3)),
    ordered_pool_case(RNG, channels=3, kernel=(2, 3)),
    ordered_stem_case(RNG, channels=3, filters=8, strides=(2, 3), dilations=(1, 2)),
    separable_block_case(RNG, channels=9, filters=21, strides=(2, 2), neutral=["depthwise_shift"]),
    separable_block_case(RNG, channels=9, filters=4, residual=(0, 0), pads=(0, 2, 1, 0)),
]


def inferred(case: Case) -> list[Any]:
    model = infer_shapes(one_node_model(case, body=False), strict_mode=True)
    return [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param
        for dim in model.graph.output[0].type.tensor_type.shape.dim
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.operator)
def test_the_inferred_shape_is_that_of_the_result(case: Case) -> None:
    assert inferred(case) == ["N", *in_pytorch(case).shape[1:]]


@pytest.mark.parametrize(
    ("constant", "shape", "message"),
    [
        ("depthwise_weight", (8, 2), "depthwise_weight has 8 filters; expected one for each of 9"),
        ("depthwise_weight", (9, 1), "has 1 bytes; 9 bits need 2"),
        ("depthwise_weight", (3, 9, 2), r"\[filters, bytes\]"),
        ("pointwise_weight", (20, 1), "has 1 bytes; 9 bits need 2"),
        ("pointwise_shift", (20,), r"pointwise_shift has shape \[20\]; expected \[9\]"),
        ("pointwise_bn_add", (9,), r"pointwise_bn_add has shape \[9\]; expected \[20\] or \[1\]"),
        ("depthwise_slope", (1, 9), r"depthwise_slope has shape \[1, 9\]; expected \[9\] or \[1\]"),
    ],
)
def test_constants_of_a_block_that_do_not_fit_are_told(
    constant: str, shape: tuple[int, ...], message: str
) -> None:
    case = separable_block_case(RNG, channels=9, filters=20)
    case.constants[constant] = np.zeros(shape, case.constants[constant].dtype)
    with pytest.raises(InferenceError, match=message):
        inferred(case)


def test_another_number_of_channels_is_told() -> None:
    case = separable_block_case(RNG, channels=9, filters=20)
    model = one_node_model(case, body=False)
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 8
    with pytest.raises(InferenceError, match="x has 8 channels, the block is for 9"):
        infer_shapes(onnx.ModelProto.FromString(model.SerializeToString()), strict_mode=True)
