"""Each operator four ways, which share no code, over the whole grid of shapes: the same bits.

The kernel in ONNX Runtime, the body in ONNX Runtime, the body in onnx's reference evaluator, and
PyTorch. Inputs hold zeros of both signs, denormals, infinities and NaN.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

import bdnet_runtime
from support.operator_cases import (
    CONSTANTS,
    SPECIAL_VALUES,
    Case,
    assert_equal,
    in_pytorch,
    one_node_model,
    ordered_conv_case,
    ordered_pool_case,
    ordered_stem_case,
    separable_block_case,
    sign_conv_case,
    sign_linear_case,
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


@pytest.mark.parametrize("ternary", [False, True], ids=["binary", "ternary"])
@pytest.mark.parametrize("channels", [*CHANNELS, 1024])
def test_linear(ternary: bool, channels: int) -> None:
    rng = np.random.default_rng([channels, ternary])
    for rows in ((1,), (5,), (2, 3), (2, 1, 9)):
        for filters in (1, 33, 130):
            common = {"channels": channels, "filters": filters, "rows": rows}
            agree(sign_linear_case(rng, ternary=ternary, **common), evaluator=filters < 130)


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


BOTH_TERNARY = list(itertools.product((False, True), repeat=2))


@pytest.mark.parametrize("residual", list(itertools.product((0, 1, 2), repeat=2)), ids=str)
@pytest.mark.parametrize("ternary", BOTH_TERNARY, ids=str)
def test_separable_block(residual: tuple[int, int], ternary: tuple[bool, bool]) -> None:
    rng = np.random.default_rng([*residual, *ternary])
    common = {"residual": residual, "ternary": ternary}
    for rectify in itertools.product((0, 1), repeat=2):
        agree(separable_block_case(rng, channels=9, filters=20, rectify=rectify, **common))
    more = {"strides": (2, 2), "batch": 3}
    agree(separable_block_case(rng, channels=33, filters=33, pad_value=1, **more, **common))


@pytest.mark.parametrize("channels", CHANNELS[1:])  # a block has at least two
def test_separable_block_of_any_width(channels: int) -> None:
    rng = np.random.default_rng(channels)
    for filters in (channels, 2 * channels, 2 * channels + 3):
        agree(separable_block_case(rng, channels=channels, filters=filters), evaluator=False)
    # Fewer filters than channels have no shortcut.
    narrow = {"filters": (channels + 1) // 2, "residual": (2, 0)}
    agree(separable_block_case(rng, channels=channels, **narrow), evaluator=False)


@pytest.mark.parametrize("role", ["depthwise", "pointwise"])
@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_that_a_unit_does_not_have_is_neutral(role: str, name: str) -> None:
    rng = np.random.default_rng([len(role), CONSTANTS.index(name)])
    case = separable_block_case(rng, channels=9, filters=12, neutral=[f"{role}_{name}"])
    agree(case)
    whole = dict(case.constants)
    length = 12 if role == "pointwise" and name != "shift" else 9
    whole[f"{role}_{name}"] = np.repeat(case.constants[f"{role}_{name}"], length)
    assert_equal(in_pytorch(case), in_pytorch(replace(case, constants=whole)), "one for all")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -0.0, 1e-45, -1e-45])
def test_what_is_switched_off_lets_nothing_through(value: float) -> None:
    """A residual or a slope that is multiplied away would make NaN of an infinity."""
    rng = np.random.default_rng(3)
    for residual in ((0, 0), (1, 1), (0, 2), (2, 0)):
        for rectify in ((0, 0), (1, 1)):
            case = separable_block_case(
                rng, channels=5, filters=7, residual=residual, rectify=rectify
            )
            agree(replace(case, x=np.full_like(case.x, value)))


@pytest.mark.parametrize("optimisation", ["DISABLE_ALL", "ENABLE_BASIC", "ENABLE_EXTENDED"])
def test_the_bodies_of_fused_operators_at_other_optimisation_levels(optimisation: str) -> None:
    rng = np.random.default_rng(11)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, f"ORT_{optimisation}"
    )
    cases = [ordered_stem_case(rng, channels=3, filters=8)] + [
        separable_block_case(
            rng, channels=9, filters=20, residual=residual, rectify=rectify, strides=strides
        )
        for residual, rectify in (((0, 1), (1, 0)), ((1, 2), (0, 1)), ((2, 0), (0, 0)))
        for strides in ((1, 1), (2, 2))
    ]
    for case in cases:
        content = one_node_model(case).SerializeToString()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        assert_equal(in_pytorch(case), session.run(None, {"x": case.x})[0], case)


@settings(max_examples=120, deadline=None, print_blob=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    ternary=st.sampled_from(BOTH_TERNARY),
    channels=st.integers(2, 40),
    more_filters=st.integers(0, 50),
    kernel=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad_value=st.sampled_from((-1, 0, 1)),
    residual=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    rectify=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    neutral=st.sets(
        st.tuples(st.sampled_from(("depthwise", "pointwise")), st.sampled_from(CONSTANTS))
    ),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    batch=st.integers(1, 3),
)
def test_any_separable_block(
    seed: int,
    ternary: tuple[bool, bool],
    channels: int,
    more_filters: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pad_value: int,
    residual: tuple[int, int],
    rectify: tuple[int, int],
    neutral: set[tuple[str, str]],
    size: tuple[int, int],
    batch: int,
) -> None:
    # Odd kernels with the padding that keeps ceil(size / stride), as a residual asks for.
    top, left = (half * dilation for half, dilation in zip(kernel, dilations, strict=True))
    agree(
        separable_block_case(
            np.random.default_rng(seed),
            ternary=ternary,
            channels=channels,
            filters=channels + more_filters,
            kernel=(2 * kernel[0] + 1, 2 * kernel[1] + 1),
            strides=strides,
            pads=(top, left, top, left),
            dilations=dilations,
            pad_value=pad_value,
            residual=residual,
            rectify=rectify,
            neutral=[f"{role}_{name}" for role, name in neutral],
            size=size,
            batch=batch,
        ),
        evaluator=False,
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("filters", [1, 8, 33])
def test_ordered_stem(channels: int, filters: int) -> None:
    rng = np.random.default_rng([channels, filters])
    common = {"channels": channels, "filters": filters}
    agree(ordered_stem_case(rng, **common))
    agree(ordered_stem_case(rng, strides=(1, 3), pads=(0, 2, 1, 0), batch=3, **common))
    agree(ordered_stem_case(rng, kernel=(5, 2), dilations=(2, 1), **common))


EMPTY = {
    "pool": lambda rng: ordered_pool_case(rng, channels=3, batch=0),
    "conv": lambda rng: ordered_conv_case(rng, channels=3, filters=4, batch=0),
    "signs": lambda rng: sign_conv_case(rng, ternary=True, channels=9, filters=4, batch=0),
    "linear": lambda rng: sign_linear_case(rng, ternary=False, channels=9, filters=4, rows=(0, 3)),
    "stem": lambda rng: ordered_stem_case(rng, channels=3, filters=4, batch=0),
    "block": lambda rng: separable_block_case(rng, channels=9, filters=12, strides=(2, 2), batch=0),
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY.keys())
def test_an_empty_batch_gives_an_empty_result(make: Callable[..., Case]) -> None:
    agree(make(np.random.default_rng(0)), evaluator=False)
