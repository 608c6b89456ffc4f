"""SeparableBlock and OrderedStem in ONNX Runtime: threads, callers, shapes, and what is refused.

That their numbers are right over the whole grid of shapes is tests/parity/test_operators_agree.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import bdnet_runtime
from support.operator_cases import (
    Case,
    assert_equal,
    in_pytorch,
    one_node_model,
    ordered_stem_case,
    separable_block_case,
)

Array = npt.NDArray[Any]
SEED = 20240301


def model_of(case: Case, shape: list[str | int | None] | None = None) -> onnx.ModelProto:
    """The case's node without its body; ``shape`` of x where it is not the case's own."""
    model = one_node_model(case, body=False)
    if shape is not None:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        model.graph.input[0].CopyFrom(x)
    return model


def session_of(model: onnx.ModelProto, threads: int = 1) -> ort.InferenceSession:
    return bdnet_runtime.create_session(model.SerializeToString(), threads=threads)


def run(session: ort.InferenceSession, x: Array) -> Array:
    y: Array = session.run(None, {"x": x})[0]
    return y


SHAPES: Mapping[str, Mapping[str, Any]] = {
    "one row": {"size": (1, 6)},
    "two rows": {"size": (2, 5), "pad_value": 1},
    "many rows": {"size": (67, 5)},
    "strides": {"size": (45, 7), "strides": (2, 2)},
    "gaps": {"size": (13, 6), "strides": (3, 1), "residual": (0, 1)},  # rows that share none
    "reach": {"size": (23, 6), "kernel": (5, 3), "pads": (4, 2, 4, 2), "dilations": (2, 2)},
}


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_block_does_not_depend_on_threads(shape: Mapping[str, Any], batch: int) -> None:
    """Which thread a row falls to decides what it finds in its scratch memory."""
    rng = np.random.default_rng([SEED, batch])
    case = separable_block_case(rng, channels=33, filters=40, batch=batch, **shape)
    expected = in_pytorch(case)
    content = model_of(case)
    for threads in (1, 2, 3, 8):  # more than there are processors, too: then some wait
        session = session_of(content, threads)
        for _ in range(4):
            assert_equal(expected, run(session, case.x), f"{threads} threads, {case}")


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (5, 9), (40, 6)])
def test_a_stem_does_not_depend_on_threads(size: tuple[int, int], batch: int) -> None:
    rng = np.random.default_rng([SEED, batch, *size])
    case = ordered_stem_case(rng, channels=3, filters=33, size=size, batch=batch)
    for threads in (1, 2, 3, 8):
        assert_equal(in_pytorch(case), run(session_of(model_of(case), threads), case.x), case)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_block_serves_several_callers_at_once(threads: int) -> None:
    rng = np.random.default_rng(SEED)
    case = separable_block_case(rng, channels=33, filters=40)
    cases = [
        replace(case, x=rng.standard_normal((2, 9 + i, 8, 33)).astype(np.float32)) for i in range(8)
    ]
    session = session_of(model_of(case, ["N", "H", "W", "C"]), threads)
    with ThreadPoolExecutor(4) as callers:
        results = list(callers.map(lambda c: run(session, c.x), cases * 6))
    for one, y in zip(cases * 6, results, strict=True):
        assert_equal(in_pytorch(one), y, one)


def small_block(**changes: Any) -> Case:
    return separable_block_case(
        np.random.default_rng(SEED), **({"channels": 8, "filters": 12} | changes)
    )


BLOCK = small_block()
STEM = ordered_stem_case(np.random.default_rng(SEED), channels=3, filters=8)


@pytest.mark.parametrize("case", [BLOCK, STEM], ids=lambda case: case.operator)
def test_a_constant_input_is_folded(case: Case) -> None:
    # ONNX Runtime then runs the kernel while it optimises the graph, with no thread pool.
    model = model_of(case)
    del model.graph.input[:]
    model.graph.initializer.append(numpy_helper.from_array(case.x, "x"))
    assert_equal(in_pytorch(case), session_of(model).run(None, {})[0], case)


@pytest.mark.parametrize("case", [BLOCK, STEM], ids=lambda case: case.operator)
def test_constants_may_be_nodes_and_one_for_all_channels(case: Case) -> None:
    constants = {
        name: value if "weight" in name else value[:1] for name, value in case.constants.items()
    }
    case = replace(case, constants=constants)
    model = model_of(case)
    nodes = [
        helper.make_node("Constant", [], [tensor.name], value=tensor)
        for tensor in model.graph.initializer
    ]
    del model.graph.initializer[:]
    for index, node in enumerate(nodes):
        model.graph.node.insert(index, node)
    assert_equal(in_pytorch(case), run(session_of(model), case.x), case)


def test_static_shapes_survive() -> None:
    def output_shape(case: Case, *shape: str | int | None) -> list[str | int | None]:
        model = model_of(case, list(shape))
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
        found: list[str | int | None] = session_of(model).get_outputs()[0].shape
        return found

    strided = small_block(strides=(2, 2))
    assert output_shape(strided, "N", 9, 8, 8) == ["N", 5, 4, 12]
    assert output_shape(strided, 3, 9, 8, 8) == [3, 5, 4, 12]
    assert output_shape(STEM, "N", 3, 9, 7) == ["N", 5, 4, 8]
    assert output_shape(STEM, 2, 3, 9, 7) == [2, 5, 4, 8]
    # What is not known, or will be refused, is not claimed.
    for case, channels_last in ((strided, True), (STEM, False)):
        channels = case.x.shape[3 if channels_last else 1]
        for size in ((9, "W"), ("H", 7), (None, None)):
            shape = (*size, channels) if channels_last else (channels, *size)
            assert output_shape(case, "N", *shape) == []
        assert output_shape(case, None, *case.x.shape[1:]) == []
        assert output_shape(case, "N", 1, 2, 77) == []
        assert output_shape(case, "N", 9, 8) == []
    unknown = model_of(strided)
    unknown.graph.input[0].type.tensor_type.ClearField("shape")
    assert_equal(in_pytorch(strided), run(session_of(unknown), strided.x), "no rank")


def changed(case: Case, **attributes: Any) -> Case:
    """The case with other attributes; None removes one."""
    merged = case.attributes | attributes
    return replace(case, attributes={k: v for k, v in merged.items() if v is not None})


def given(case: Case, **constants: Array) -> Case:
    """The case with other constants."""
    return replace(case, constants=case.constants | constants)


def ones(*shape: int, dtype: Any = np.float32) -> Array:
    return np.ones(shape, dtype)


def packed(*shape: int) -> Array:
    return ones(*shape, dtype=np.uint8)


def with_last(value: float) -> Array:
    return np.array([1, 2, 3, 4, 5, 6, 7, value], np.float32)


FEW_CHANNELS = "expected 2 to 16383 in a block; export the model with --no-fuse"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            changed(BLOCK, packing_version=2),
            "attribute 'packing_version' has the value 2, expected 1; export the model again, or "
            "install the bdnet that it was made with",
        ),
        (changed(BLOCK, channels=0), f"attribute 'channels' has the value 0, {FEW_CHANNELS}"),
        (
            small_block(channels=1, filters=1),
            f"attribute 'channels' has the value 1, {FEW_CHANNELS}",
        ),
        (
            changed(BLOCK, channels=16384),
            f"attribute 'channels' has the value 16384, {FEW_CHANNELS}",
        ),
        (
            changed(BLOCK, channels=(1 << 63) - 1),
            f"attribute 'channels' has the value 9223372036854775807, {FEW_CHANNELS}",
        ),
        (
            changed(BLOCK, kernel_shape=3),
            "attribute 'kernel_shape' has length 0, expected 2 integers",
        ),
        (
            changed(BLOCK, kernel_shape=[(1 << 63) - 1] * 2),
            "attribute 'kernel_shape' has the value 9223372036854775807, expected 1 to 2147483647",
        ),
        (
            small_block(kernel=(16, 8)),
            "attribute 'kernel_shape' is 16x8, expected at most 127 taps in a block; export the "
            "model with --no-fuse",
        ),
        (
            changed(BLOCK, strides=[1, 0]),
            "attribute 'strides' has the value 0, expected 1 to 2147483647",
        ),
        (
            changed(BLOCK, strides=[4096, 4097]),
            "attribute 'strides' is 4096x4097, expected at most 2^24 taps",
        ),
        (
            changed(BLOCK, pads=[0, 0, 0, -1]),
            "attribute 'pads' has the value -1, expected 0 to 2147483647",
        ),
        (
            changed(BLOCK, pad_value=2),
            "attribute 'pad_value' has the value 2, expected -1, 0 or 1",
        ),
        (
            changed(BLOCK, depthwise_residual=3),
            "attribute 'depthwise_residual' has the value 3, expected 0 (none), 1 (before the "
            "normalisation) or 2 (after it)",
        ),
        (
            changed(BLOCK, pointwise_rectify=-1),
            "attribute 'pointwise_rectify' has the value -1, expected 0 (slope) or 1 (ReLU)",
        ),
        (
            small_block(filters=7),
            "the point-wise unit has a residual from 8 to 7 channels, expected no fewer outputs "
            "than inputs",
        ),
        (
            given(BLOCK, depthwise_weight=packed(16)),
            "the depth-wise unit: the packed weights have rank 1, expected 2 (filters, bytes) or 3 "
            "(2 bit planes, filters, bytes)",
        ),
        (
            given(BLOCK, depthwise_weight=packed(3, 8, 2)),
            "the depth-wise unit: the packed weights have the shape 3x8x2, expected 2 bit planes "
            "in the first dimension",
        ),
        (
            given(BLOCK, depthwise_weight=packed(8, 3)),
            "the depth-wise unit: the packed weights have 3 bytes per filter, expected 2 "
            "(kernel_shape 3x3, channels 1: 9 bits)",
        ),
        (
            given(BLOCK, depthwise_weight=packed(16, 2)),
            "the depth-wise unit: the packed weights have 16 filters, expected one for each of the "
            "8 channels",
        ),
        (
            given(BLOCK, pointwise_weight=packed(12, 2)),
            "the point-wise unit: the packed weights have 2 bytes per filter, expected 1 "
            "(kernel_shape 1x1, channels 8: 8 bits)",
        ),
        (
            given(BLOCK, pointwise_weight=packed(2, 0, 1)),
            "the weights have 0 filters, expected 1 to 2147483647",
        ),
        (
            given(BLOCK, pointwise_weight=ones(12, 1, dtype=np.int8)),
            "expected tensor(uint8) for the packed point-wise weights, got tensor(int8)",
        ),
        (
            given(BLOCK, depthwise_slope=ones(8, dtype=np.float64)),
            "expected tensor(float) for depthwise_slope, got tensor(double)",
        ),
        (
            given(BLOCK, pointwise_scale=ones(8)),
            "pointwise_scale has the shape [8], expected [12] or [1]",
        ),
        (
            given(BLOCK, pointwise_shift=ones(12)),
            "pointwise_shift has the shape [12], expected [8] or [1]",
        ),
        (
            given(BLOCK, depthwise_bn_add=ones(1, 8)),
            "depthwise_bn_add has the shape [1, 8], expected [8] or [1]",
        ),
        (
            given(BLOCK, depthwise_bn_mul=ones()),
            "depthwise_bn_mul has the shape [], expected [8] or [1]",
        ),
        (
            given(BLOCK, depthwise_shift_in=with_last(np.nan)),
            "depthwise_shift_in holds nan, expected finite numbers; the training has diverged or "
            "the file is damaged",
        ),
        (
            given(BLOCK, pointwise_shift_out=np.array([-np.inf], np.float32)),
            "pointwise_shift_out holds -inf, expected finite numbers; the training has diverged or "
            "the file is damaged",
        ),
        (
            changed(STEM, strides=None),
            "attribute 'strides' is missing or of another type, expected 2 integers",
        ),
        (
            given(STEM, weight=ones(3, 3, 8)),
            "the weights have rank 3, expected 4 (kernel height, kernel width, channels, filters)",
        ),
        (given(STEM, bn_mul=ones(7)), "bn_mul has the shape [7], expected [8] or [1]"),
        (
            given(STEM, bn_add=with_last(np.inf)),
            "bn_add holds inf, expected finite numbers; the training has diverged or the file is "
            "damaged",
        ),
    ],
)
def test_a_faulty_node_is_refused_with_the_session(case: Case, message: str) -> None:
    with pytest.raises(bdnet_runtime.InputError) as error:
        session_of(model_of(case))
    assert str(error.value).endswith(f": ai.bdnet.{case.operator} 'node': {message}")


INPUTS = [(case, name) for case in (BLOCK, STEM) for name in case.constants]
INPUT_IDS = [f"{case.operator}-{name}" for case, name in INPUTS]
CALLED = {
    "depthwise_weight": "the packed depth-wise weights",
    "pointwise_weight": "the packed point-wise weights",
    "weight": "the weights",
}


@pytest.mark.parametrize("is_default", [False, True], ids=["given", "default"])
@pytest.mark.parametrize(("case", "name"), INPUTS, ids=INPUT_IDS)
def test_what_is_no_constant_is_refused(case: Case, name: str, is_default: bool) -> None:
    """Neither an input nor an initialiser that an input may replace."""
    model = model_of(case)
    (tensor,) = [t for t in model.graph.initializer if t.name == name]
    value = helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))
    model.graph.input.append(value)
    if not is_default:
        model.graph.initializer.remove(tensor)
    message = (
        f"ai.bdnet.{case.operator} 'node': expected a constant of the graph for "
        f"{CALLED.get(name, name)}, got a value that is computed or given at run time"
    )
    with pytest.raises(bdnet_runtime.InputError) as error:
        session_of(model)
    assert str(error.value).endswith(message)


@pytest.mark.parametrize(("case", "name"), INPUTS, ids=INPUT_IDS)
def test_a_missing_input_is_refused(case: Case, name: str) -> None:
    for inputs in (
        ["" if one == name else one for one in ("x", *case.constants)],
        ["x", *case.constants][: 1 + list(case.constants).index(name)],
        ["x", *case.constants, name],
    ):
        model = model_of(case)
        del model.graph.node[0].input[:]
        model.graph.node[0].input.extend(inputs)
        with pytest.raises(bdnet_runtime.InputError, match=case.operator):
            session_of(model)


@pytest.mark.parametrize("element", [TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.STRING])
@pytest.mark.parametrize("case", [BLOCK, STEM], ids=lambda case: case.operator)
def test_another_type_is_refused(case: Case, element: int) -> None:
    model = model_of(case)
    model.graph.input[0].type.tensor_type.elem_type = element
    with pytest.raises(bdnet_runtime.InputError, match=r"expected tensor\(float\) for the input"):
        session_of(model)


MAX = 2**31 - 1
UNPADDED = changed(BLOCK, pads=[0, 0, 0, 0], depthwise_residual=0)


@pytest.mark.parametrize(
    ("case", "shape", "message"),
    [
        (
            BLOCK,
            (1, 5, 5, 7),
            "the input has 7 channels, the depth-wise weights are for 8 (group 8 x channels 1)",
        ),
        (
            BLOCK,
            (5, 5, 8),
            "the input has rank 3, expected 4 (batch, height, width, channels)",
        ),
        (
            BLOCK,
            (1, 5, 0, 8),
            "the input has the shape 1x5x0x8, expected height, width and channels of 1 to "
            "2147483647 (only the batch may be empty)",
        ),
        (
            UNPADDED,
            (1, 2, 5, 8),
            "the kernel covers 3x3 (kernel_shape 3x3, dilations 1x1), the padded input has only "
            "2x5; use a larger input",
        ),
        (
            changed(BLOCK, pads=[0, 0, 0, 0]),
            (1, 5, 5, 8),
            "the depth-wise convolution gives 1x3x3x8, its shortcut 1x5x5x8; expected pads that "
            "keep the size, or with strides its quotient rounded up (kernel 3, pads 1)",
        ),
        (
            changed(UNPADDED, pads=[MAX] * 4),
            (1, 1, 1, 8),
            "the padded input would have the shape 1x4294967295x4294967295x8, more than can be "
            "addressed; use a smaller input or less padding",
        ),
        (
            # Where the padded input can be addressed just so, what has more channels cannot.
            changed(UNPADDED, pads=[2**28, 2**28, 2**28, 2**28 - 2]),
            (1, 1, 1, 8),
            "the output would have the shape 1x536870911x536870909x12, more than can be addressed; "
            "use a smaller input or less padding",
        ),
        (
            STEM,
            (1, 2, 5, 5),
            "the input has 2 channels, the weights are for 3 (group 1 x channels 3)",
        ),
        (
            STEM,
            (3, 5, 5),
            "the input has rank 3, expected 4 (batch, channels, height, width)",
        ),
        (
            STEM,
            (1, 3, 0, 5),
            "the input has the shape 1x3x0x5, expected height, width and channels of 1 to "
            "2147483647 (only the batch may be empty)",
        ),
        (
            changed(STEM, pads=[0, 0, 0, 0]),
            (1, 3, 5, 2),
            "the kernel covers 3x3 (kernel_shape 3x3, dilations 1x1), the padded input has only "
            "5x2; use a larger input",
        ),
    ],
)
def test_an_input_that_does_not_fit_is_refused(
    case: Case, shape: tuple[int, ...], message: str
) -> None:
    session = session_of(model_of(case, [None] * len(shape)))
    with pytest.raises(Exception, match="Status Message") as error:
        run(session, np.zeros(shape, np.float32))
    assert str(error.value).endswith(f"ai.bdnet.{case.operator} 'node': {message}")


@pytest.mark.parametrize("case", [BLOCK, STEM], ids=lambda case: case.operator)
def test_a_session_outlives_a_refused_input(case: Case) -> None:
    session = session_of(model_of(case, [None] * 4))
    with pytest.raises(Exception, match="the input has 77 channels"):
        run(session, np.zeros((1, 77, 77, 77), np.float32))
    assert_equal(in_pytorch(case), run(session, case.x), case)


def test_rows_that_have_no_place_are_refused() -> None:
    # Two pixels of output, for each of which a kernel of two taps spans 2^30 rows of padding.
    case = changed(
        small_block(channels=2, filters=2, kernel=(2, 1), residual=(0, 0)),
        pads=[2**29 - 1, 2**28, 2**29 + 1, 2**28 - 1],
        dilations=[2**30 - 1, 1],
        strides=[1, 2**30],
    )
    message = (
        r"ai\.bdnet\.SeparableBlock 'node': the rows between the units take \d+ bytes, more than "
        "there is memory; use a smaller batch or input"
    )
    session = session_of(model_of(case, ["N", "H", "W", "C"]))
    with pytest.raises(Exception, match=message):
        run(session, np.zeros((1, 1, 1, 2), np.float32))


@pytest.mark.parametrize("case", [BLOCK, STEM], ids=lambda case: case.operator)
@pytest.mark.parametrize("threads", [1, 2])
def test_an_empty_batch_is_empty(case: Case, threads: int) -> None:
    session = session_of(model_of(case), threads)
    assert run(session, case.x[:0]).shape == (0, *in_pytorch(case).shape[1:])
    assert_equal(in_pytorch(case), run(session, case.x), case)
