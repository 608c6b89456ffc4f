"""BinaryLinear and TernaryLinear in ONNX Runtime, without bodies, against an oracle in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import bdnet_runtime
from support.operator_cases import Case, assert_equal, one_node_model, sign_linear_case

Array = npt.NDArray[Any]


def case(ternary: bool, channels: int = 65, filters: int = 200, rows: tuple[int, ...] = ()) -> Case:
    """With weights whose tail bits are random too, for readers must not look at them."""
    rng = np.random.default_rng([ternary, channels, filters, *rows])
    made = sign_linear_case(rng, ternary=ternary, channels=channels, filters=filters, rows=rows)
    weight = made.constants["weight"]
    made.constants["weight"] = rng.integers(0, 256, weight.shape, np.uint8)
    return made


def session(case: Case, shape: list[str | int | None], threads: int = 1) -> Any:
    model = one_node_model(case, body=False)
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    model.graph.input[0].CopyFrom(value)
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    )
    return bdnet_runtime.create_session(model.SerializeToString(), threads=threads)


def oracle(case: Case) -> Array:
    bits = np.unpackbits(
        case.constants["weight"], axis=-1, count=case.attributes["channels"], bitorder="little"
    ).astype(np.float64)
    weight = bits.sum(0) - 1 if bits.ndim == 3 else 2 * bits - 1
    with np.errstate(invalid="ignore"):
        signs = np.where(case.x >= 0, 1.0, -1.0)
    return np.asarray(signs @ weight.T).astype(np.float32)


@pytest.mark.parametrize("ternary", [False, True], ids=["binary", "ternary"])
@pytest.mark.parametrize("rows", [(), (1,), (7,), (3, 0), (2, 3, 5), (2, 1, 2, 3)], ids=str)
def test_inputs_of_any_rank(ternary: bool, rows: tuple[int, ...]) -> None:
    linear = case(ternary, rows=rows)
    got = session(linear, [None] * linear.x.ndim, threads=2).run(None, {"x": linear.x})[0]
    assert_equal(oracle(linear), got, linear)


@pytest.mark.parametrize("filters", [1, 63, 64, 65, 1000])
def test_outputs_are_shared_among_threads(filters: int) -> None:
    linear = case(True, channels=1030, filters=filters, rows=(5,))
    one, two = (session(linear, ["N", 1030], threads) for threads in (1, 2))
    expected = oracle(linear)
    for _ in range(20):
        assert_equal(expected, two.run(None, {"x": linear.x})[0], filters)
    assert_equal(expected, one.run(None, {"x": linear.x})[0], filters)


def test_static_shapes_survive() -> None:
    def output_shape(*shape: str | int | None) -> list[str | int | None]:
        found: list[str | int | None] = session(case(False), list(shape)).get_outputs()[0].shape
        return found

    assert output_shape("N", 65) == ["N", 200]
    assert output_shape(3, 4, 65) == [3, 4, 200]
    # What is not known is not claimed.
    assert output_shape(None, 65) == []
    assert output_shape("N", "T", 65) == []
    assert output_shape(65) == []


@pytest.mark.parametrize(
    ("attributes", "weight", "message"),
    [
        ({"packing_version": 2}, (200, 9), "attribute 'packing_version' has the value 2"),
        ({"channels": 0}, (200, 9), "attribute 'channels' has the value 0, expected 1 to"),
        ({"channels": 1 << 24}, (200, 9), "a filter of kernel_shape 1x1, channels 16777216 has"),
        ({}, (200, 8), "the packed weights have 8 bytes per filter, expected 9"),
        ({}, (2, 200, 9), "the packed weights have rank 3, expected 2"),
    ],
)
def test_a_faulty_node_is_refused_with_the_session(
    attributes: dict[str, int], weight: tuple[int, ...], message: str
) -> None:
    linear = case(False)
    linear.attributes.update(attributes)
    linear.constants["weight"] = np.zeros(weight, np.uint8)
    with pytest.raises(bdnet_runtime.InputError) as error:
        session(linear, ["N", 65])
    assert f"ai.bdnet.BinaryLinear 'node': {message}" in str(error.value)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 64), "the input has the shape 3x64, expected 65 values in the last dimension"),
        ((), "the input has the shape none (a scalar), expected 65 values in the last dimension"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(shape: tuple[int, ...], message: str) -> None:
    refusing = session(case(True), [None] * len(shape))
    with pytest.raises(Exception, match="Status Message") as error:
        refusing.run(None, {"x": np.zeros(shape, np.float32)})
    assert f"ai.bdnet.TernaryLinear 'node': {message}" in str(error.value)
