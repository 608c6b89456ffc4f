"""Each operator four ways, which share no code, over the whole grid of shapes: the same bits.

The kernel in ONNX Runtime, the body in ONNX Runtime, the body in onnx's reference evaluator, and
PyTorch. Inputs hold zeros of both signs, denormals, infinities and NaN.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

import bdnet_runtime
from support.operator_cases import (
    SPECIAL_VALUES,
    Case,
    assert_equal,
    in_pytorch,
    one_node_model,
    ordered_conv_case,
    ordered_pool_case,
    sign_conv_case,
)

CHANNELS = (1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 65, 127, 300)


def agree(case: Case, *, evaluator: bool = True) -> None:
    """Runs ``case`` all ways; the slow reference evaluator only where asked."""
    model = one_node_model(case)
    onnx.checker.check_model(model, full_check=True)
    expected = in_pytorch(case)
    for use_library in (True, False):
        session = bdnet_runtime.create_session(
            model.SerializeToString(), threads=1, use_library=use_library
        )
        way = "kernel" if use_library else "body"
        assert_equal(expected, session.run(None, {"x": case.x})[0], f"{way}: {case}")
    if evaluator:
        with np.errstate(all="ignore"):
            got = ReferenceEvaluator(model).run(None, {"x": case.x})[0]
        assert_equal(expected, got, f"onnx.reference: {case}")


@pytest.mark.parametrize("ternary", [False, True], ids=["binary", "ternary"])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("batch", [1, 3])
def test_dense(ternary: bool, channels: int, batch: int) -> None:
    rng = np.random.default_rng([channels, batch, ternary])
    common = {"ternary": ternary, "channels": channels, "filters": 5, "batch": batch}
    agree(sign_conv_case(rng, kernel=(1, 1), pads=(0, 0, 0, 0), **common))
    for stride in (1, 2):
        for pad_value in (-1, 0, 1):
            case = sign_conv_case(rng, strides=(stride, stride), pad_value=pad_value, **common)
            agree(case)
    agree(sign_conv_case(rng, dilations=(2, 1), size=(9, 7), **common))


@pytest.mark.parametrize("ternary", [False, True], ids=["binary", "ternary"])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("batch", [1, 3])
def test_depthwise(ternary: bool, channels: int, batch: int) -> None:
    rng = np.random.default_rng([channels, batch, ternary])
    common = {"ternary": ternary, "channels": 1, "filters": 1, "group": channels, "batch": batch}
    for stride in (1, 2):
        for dilation in (1, 2):
            case = sign_conv_case(
                rng, strides=(stride, stride), dilations=(dilation, dilation), **common
            )
            agree(case)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    ternary=st.booleans(),
    channels=st.integers(1, 40),
    filters=st.integers(1, 9),
    group=st.integers(1, 5),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    dilations=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad_value=st.sampled_from((-1, 0, 1)),
    extra=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    batch=st.integers(1, 3),
)
def test_any_sign_convolution(
    seed: int,
    ternary: bool,
    channels: int,
    filters: int,
    group: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
    pad_value: int,
    extra: tuple[int, int],
    batch: int,
) -> None:
    size = (
        max(1, dilations[0] * (kernel[0] - 1) + 1 - pads[0] - pads[2]) + extra[0],
        max(1, dilations[1] * (kernel[1] - 1) + 1 - pads[1] - pads[3]) + extra[1],
    )
    agree(
        sign_conv_case(
            np.random.default_rng(seed),
            ternary=ternary,
            channels=channels,
            filters=filters,
            group=group,
            kernel=kernel,
            strides=strides,
            pads=pads,
            dilations=dilations,
            pad_value=pad_value,
            size=size,
            batch=batch,
        ),
        evaluator=False,
    )


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("filters", [1, 8, 33, 65])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 2)])
def test_ordered_convolution(channels: int, filters: int, kernel: tuple[int, int]) -> None:
    rng = np.random.default_rng([channels, filters, *kernel])
    common = {"channels": channels, "filters": filters, "kernel": kernel}
    agree(ordered_conv_case(rng, **common))
    agree(ordered_conv_case(rng, strides=(1, 3), pads=(0, 2, 1, 0), batch=3, **common))
    agree(ordered_conv_case(rng, strides=(1, 1), dilations=(2, 1), **common))


@pytest.mark.parametrize("channels", [1, 7, 64, 65])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (2, 5)])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 6)])
def test_ordered_average_pool(
    channels: int, kernel: tuple[int, int], size: tuple[int, int]
) -> None:
    rng = np.random.default_rng([channels, *kernel, *size])
    agree(ordered_pool_case(rng, channels=channels, kernel=kernel, size=size, batch=3))


def test_special_values_in_ordered_sums() -> None:
    rng = np.random.default_rng(7)
    for case in (ordered_conv_case(rng, channels=3, filters=8), ordered_pool_case(rng, channels=5)):
        flat = case.x.reshape(-1)
        flat[rng.permutation(flat.size)[: len(SPECIAL_VALUES)]] = SPECIAL_VALUES
        agree(case)


@pytest.mark.parametrize("make", [ordered_pool_case, ordered_conv_case, sign_conv_case])
def test_an_empty_batch_gives_an_empty_result(make: object) -> None:
    rng = np.random.default_rng(0)
    if make is ordered_pool_case:
        case = ordered_pool_case(rng, channels=3, batch=0)
    elif make is ordered_conv_case:
        case = ordered_conv_case(rng, channels=3, filters=4, batch=0)
    else:
        case = sign_conv_case(rng, ternary=True, channels=9, filters=4, batch=0)
    agree(case, evaluator=False)
