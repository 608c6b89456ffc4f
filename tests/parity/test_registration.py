"""The C++ registration against opset.py: the same operators, inputs and attributes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest

import bdnet_runtime
from bdnet_export.opset import OPERATORS
from support.operator_cases import (
    Case,
    one_node_model,
    ordered_conv_case,
    ordered_pool_case,
    ordered_stem_case,
    separable_block_case,
    sign_conv_case,
    sign_linear_case,
)

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "operators.md"


def _case(operator: str) -> Case:
    rng = np.random.default_rng(1)
    if operator == "OrderedConv":
        return ordered_conv_case(rng, channels=3, filters=4)
    if operator == "OrderedAveragePool":
        return ordered_pool_case(rng, channels=3)
    if operator == "SeparableBlock":
        return separable_block_case(rng, channels=3, filters=4)
    if operator == "OrderedStem":
        return ordered_stem_case(rng, channels=3, filters=4)
    if operator in ("BinaryLinear", "TernaryLinear"):
        return sign_linear_case(rng, ternary=operator == "TernaryLinear", channels=3, filters=4)
    return sign_conv_case(rng, ternary=operator == "TernaryConv", channels=3, filters=4)


def _load(model: onnx.ModelProto) -> None:
    bdnet_runtime.create_session(model.SerializeToString(), threads=1, use_library=True)


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.name)
def test_the_library_has_the_operator_without_its_body(function: object) -> None:
    _load(one_node_model(_case(function.name), body=False))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("operator", "attribute"),
    [(f.name, name) for f in OPERATORS for name in f.to_function_proto().attribute],
)
def test_the_kernel_reads_every_attribute(operator: str, attribute: str) -> None:
    model = one_node_model(_case(operator), body=False)
    kept = [a for a in model.graph.node[0].attribute if a.name != attribute]
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.extend(kept)
    with pytest.raises(bdnet_runtime.InputError, match=attribute):
        _load(model)


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.name)
def test_the_documentation_names_operator_inputs_and_attributes(function: object) -> None:
    proto = function.to_function_proto()  # type: ignore[attr-defined]
    text = DOCUMENTATION.read_text()
    section = re.search(rf"^## {proto.name}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/operators.md has no section for {proto.name}"
    named = set(re.findall(r"^\| `(\w+)` \|", section.group(1), re.MULTILINE))
    assert named == {*proto.input, *proto.attribute, "y"}
