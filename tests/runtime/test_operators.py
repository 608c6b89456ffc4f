"""The operators in ONNX Runtime, without their bodies, against an oracle in NumPy.

The oracle shares no code with bdnet: it reads packed bits by itself, and sums signs in float64.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import bdnet_runtime

Array = npt.NDArray[Any]
SEED = 20240229
SPECIAL = np.array([0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, np.nan, np.inf, -np.inf], np.float32)


@dataclass(frozen=True)
class Conv:
    """The attributes of a convolution of signs, as ``channels`` in and ``filters`` out a group."""

    channels: int
    filters: int
    group: int = 1
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    dilations: tuple[int, int] = (1, 1)
    pad_value: int = 0
    ternary: bool = False

    @property
    def operator(self) -> str:
        return "TernaryConv" if self.ternary else "BinaryConv"

    def attributes(self) -> dict[str, Any]:
        return {
            "kernel_shape": list(self.kernel),
            "channels": self.channels,
            "strides": list(self.strides),
            "pads": list(self.pads),
            "dilations": list(self.dilations),
            "group": self.group,
            "pad_value": self.pad_value,
            "packing_version": 1,
        }

    def random_weights(self, rng: np.random.Generator) -> Array:
        """Packed weights whose tail bits are random too, for readers must not look at them."""
        row_bytes = -(-self.kernel[0] * self.kernel[1] * self.channels // 8)
        planes = (2,) if self.ternary else ()
        return rng.integers(0, 256, (*planes, self.group * self.filters, row_bytes), np.uint8)

    def random_input(
        self, rng: np.random.Generator, size: tuple[int, int], batch: int = 1
    ) -> Array:
        """Noise with a special value in every eighth place."""
        x = rng.standard_normal((batch, *size, self.group * self.channels)).astype(np.float32)
        chosen = rng.random(x.shape) < 1 / 8
        x[chosen] = rng.choice(SPECIAL, int(chosen.sum()))
        return x


@dataclass(frozen=True)
class Model:
    """A graph of one node, ``body.3/op``: input ``x``, output ``y``, weights an initialiser."""

    operator: str
    attributes: dict[str, Any]
    shape: list[str | int | None] | None  # of x; None: x is a constant
    weights: Array | None = None
    x_type: int = TensorProto.FLOAT
    constant_weights: bool = True
    inputs: list[str] | None = None
    initialisers: dict[str, Array] = field(default_factory=dict)

    def serialised(self) -> bytes:
        names, values, initialisers = ["x"], [], dict(self.initialisers)
        if self.shape is not None:
            values.append(helper.make_tensor_value_info("x", self.x_type, self.shape))
        if self.weights is not None:
            names.append("w")
            if self.constant_weights:
                initialisers["w"] = self.weights
            else:
                element = helper.np_dtype_to_tensor_dtype(self.weights.dtype)
                values.append(helper.make_tensor_value_info("w", element, self.weights.shape))
        node = helper.make_node(
            self.operator,
            self.inputs or names,
            ["y"],
            name="body.3/op",
            domain="ai.bdnet",
            **self.attributes,
        )
        graph = helper.make_graph(
            [node],
            "graph",
            values,
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in initialisers.items()],
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.bdnet", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        return bytes(model.SerializeToString())

    def session(self, threads: int = 1) -> ort.InferenceSession:
        return bdnet_runtime.create_session(self.serialised(), threads=threads)

    def run(self, x: Array, threads: int = 1) -> Array:
        y: Array = self.session(threads).run(None, {"x": x})[0]
        return y


def conv_model(conv: Conv, weights: Array) -> Model:
    shape: list[str | int | None] = ["N", "H", "W", "C"]
    return Model(conv.operator, conv.attributes(), shape, weights)


def expected_conv(conv: Conv, x: Array, weights: Array) -> Array:
    kh, kw = conv.kernel
    bits = np.unpackbits(weights, axis=-1, count=kh * kw * conv.channels, bitorder="little")
    values = bits.astype(np.float64)
    w = values.sum(0) - 1.0 if conv.ternary else 2.0 * values - 1.0
    w = w.reshape(conv.group, conv.filters, kh, kw, conv.channels)

    top, left, bottom, right = conv.pads
    with np.errstate(invalid="ignore"):
        signs = np.where(x >= 0, 1.0, -1.0)
    around = ((0, 0), (top, bottom), (left, right), (0, 0))
    signs = np.pad(signs, around, constant_values=conv.pad_value)
    signs = signs.reshape(*signs.shape[:3], conv.group, conv.channels)

    reach_y, reach_x = (d * (k - 1) for d, k in zip(conv.dilations, conv.kernel, strict=True))
    y: Array | float = 0.0
    for ky in range(kh):
        for kx in range(kw):
            dy, dx = ky * conv.dilations[0], kx * conv.dilations[1]
            tap = signs[
                :,
                dy : signs.shape[1] - reach_y + dy : conv.strides[0],
                dx : signs.shape[2] - reach_x + dx : conv.strides[1],
            ]
            y = y + np.einsum("nhwgc,gmc->nhwgm", tap, w[:, :, ky, kx])
    result = np.asarray(y)
    return result.reshape(*result.shape[:3], conv.group * conv.filters).astype(np.float32)


def assert_same(got: Array, expected: Array) -> None:
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


CHANNELS = [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 128, 300]


@pytest.mark.parametrize("ternary", [False, True], ids=["binary", "ternary"])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("strides", [(1, 1), (2, 2)], ids=["stride1", "stride2"])
def test_dense_and_depthwise(ternary: bool, channels: int, strides: tuple[int, int]) -> None:
    rng = np.random.default_rng(SEED + channels)
    for conv in (
        Conv(channels, 5, strides=strides, ternary=ternary),
        Conv(channels, 33, kernel=(1, 1), pads=(0, 0, 0, 0), strides=strides, ternary=ternary),
        Conv(1, 1, group=channels, strides=strides, ternary=ternary),
        Conv(1, 2, group=channels, strides=strides, pads=(0, 1, 2, 0), ternary=ternary),
    ):
        weights = conv.random_weights(rng)
        x = conv.random_input(rng, (7, 9), batch=3)
        assert_same(conv_model(conv, weights).run(x), expected_conv(conv, x, weights))


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
@pytest.mark.parametrize("group", [1, 2, 65])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1), (2, 3)])
def test_padding_dilation_and_groups(
    pad_value: int, group: int, dilations: tuple[int, int]
) -> None:
    rng = np.random.default_rng(SEED)
    for ternary in (False, True):
        conv = Conv(
            1 if group == 65 else 33,
            1 if group == 65 else 3,
            group,
            pads=(2, 1, 1, 3),
            dilations=dilations,
            pad_value=pad_value,
            ternary=ternary,
        )
        weights = conv.random_weights(rng)
        x = conv.random_input(rng, (5, 8))
        assert_same(conv_model(conv, weights).run(x), expected_conv(conv, x, weights))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_batches_and_threads(batch: int, threads: int) -> None:
    rng = np.random.default_rng(SEED)
    for conv in (Conv(64, 33), Conv(1, 1, group=64, strides=(2, 2), ternary=True)):
        weights = conv.random_weights(rng)
        x = conv.random_input(rng, (19, 17), batch)
        assert_same(conv_model(conv, weights).run(x, threads), expected_conv(conv, x, weights))


@settings(max_examples=80, deadline=None, print_blob=True)
@given(st.data())
def test_any_shape(data: st.DataObject) -> None:
    def pair(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
        return st.tuples(st.integers(low, high), st.integers(low, high))

    conv = Conv(
        channels=data.draw(st.integers(1, 70), "channels"),
        filters=data.draw(st.integers(1, 9), "filters"),
        group=data.draw(st.integers(1, 5), "group"),
        kernel=data.draw(pair(1, 4), "kernel"),
        strides=data.draw(pair(1, 3), "strides"),
        pads=data.draw(st.tuples(*[st.integers(0, 3)] * 4), "pads"),
        dilations=data.draw(pair(1, 3), "dilations"),
        pad_value=data.draw(st.integers(-1, 1), "pad_value"),
        ternary=data.draw(st.booleans(), "ternary"),
    )
    size = data.draw(pair(1, 12), "size")
    for axis in (0, 1):
        padded = size[axis] + conv.pads[axis] + conv.pads[axis + 2]
        assume(conv.dilations[axis] * (conv.kernel[axis] - 1) < padded)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), "seed"))
    weights = conv.random_weights(rng)
    x = conv.random_input(rng, size, data.draw(st.integers(0, 2), "batch"))
    assert_same(conv_model(conv, weights).run(x), expected_conv(conv, x, weights))


@pytest.mark.parametrize(
    ("value", "sign"),
    [
        (0.0, 1),
        (-0.0, 1),
        (1e-45, 1),
        (-1e-45, -1),
        (1e-38, 1),
        (-1e-38, -1),
        (np.inf, 1),
        (-np.inf, -1),
        (np.nan, -1),
        (-np.nan, -1),
    ],
)
def test_sign_of_special_values(value: float, sign: int) -> None:
    # 37 channels: whole vectors and a remainder. All weights are +1, so the result counts signs.
    conv = Conv(37, 1, kernel=(1, 1), pads=(0, 0, 0, 0))
    x = np.full((1, 1, 1, 37), value, np.float32)
    y = conv_model(conv, np.full((1, 5), 255, np.uint8)).run(x)
    assert y.tolist() == [[[[37.0 * sign]]]]


def test_ternary_planes_may_disagree_either_way() -> None:
    # Bits (1, 0) are no plane pair that a latent weight gives; the sum decides, and it is 0.
    conv = Conv(4, 1, kernel=(1, 1), pads=(0, 0, 0, 0), ternary=True)
    weights = np.array([[[0b0011]], [[0b0101]]], np.uint8)  # +1, 0, 0, -1
    x = np.array([1, 2, 4, 8], np.float32).reshape(1, 1, 1, 4)
    assert conv_model(conv, weights).run(x).item() == 0.0
    x[..., 0] = -1
    assert conv_model(conv, weights).run(x).item() == -2.0


def expected_ordered_conv(
    x: Array, w: Array, strides: list[int], pads: list[int], dilations: list[int]
) -> Array:
    kh, kw, channels, filters = w.shape
    x = np.pad(x, ((0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)))
    rows = (x.shape[1] - dilations[0] * (kh - 1) - 1) // strides[0] + 1
    columns = (x.shape[2] - dilations[1] * (kw - 1) - 1) // strides[1] + 1
    y = np.zeros((x.shape[0], rows, columns, filters), np.float32)
    with np.errstate(invalid="ignore"):
        for ky in range(kh):
            for kx in range(kw):
                for c in range(channels):
                    top, left = ky * dilations[0], kx * dilations[1]
                    tap = x[:, top :: strides[0], left :: strides[1], c][:, :rows, :columns]
                    y = y + tap[..., None] * w[ky, kx, c]
    return y


@settings(max_examples=40, deadline=None, print_blob=True)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    channels=st.integers(1, 5),
    filters=st.sampled_from([1, 7, 32, 64, 65, 130]),
    strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    dilations=st.lists(st.integers(1, 2), min_size=2, max_size=2),
    batch=st.integers(0, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_ordered_conv(
    kernel: tuple[int, int],
    channels: int,
    filters: int,
    strides: list[int],
    pads: list[int],
    dilations: list[int],
    batch: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    # Magnitudes from 1e-3 to 1e3: in another order, the sums would differ.
    x = rng.standard_normal((batch, 9, 8, channels)) * 10.0 ** rng.integers(-3, 4, (channels,))
    x[rng.random(x.shape) < 1 / 32] = np.inf
    x = x.astype(np.float32)
    w = rng.standard_normal((*kernel, channels, filters)).astype(np.float32)
    attributes = {"strides": strides, "pads": pads, "dilations": dilations}
    model = Model("OrderedConv", attributes, ["N", "H", "W", "C"], w)
    assert_same(model.run(x, threads=2), expected_ordered_conv(x, w, strides, pads, dilations))


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (2, 3), (7, 5), (20, 20)])
@pytest.mark.parametrize("channels", [1, 63, 65])
def test_ordered_average_pool(batch: int, kernel: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((batch, 7, 9, channels)).astype(np.float32)
    expected = np.zeros((batch, -(-7 // kernel[0]), -(-9 // kernel[1]), channels), np.float32)
    for oy, ox in np.ndindex(expected.shape[1], expected.shape[2]):
        rows = range(oy * kernel[0], min((oy + 1) * kernel[0], 7))
        columns = range(ox * kernel[1], min((ox + 1) * kernel[1], 9))
        total = np.zeros((batch, channels), np.float32)
        for row in rows:
            for column in columns:
                total = total + x[:, row, column]
        expected[:, oy, ox] = total / np.float32(len(rows) * len(columns))
    model = Model("OrderedAveragePool", {"kernel_shape": list(kernel)}, ["N", "H", "W", "C"])
    assert_same(model.run(x, threads=2), expected)


def test_sessions_serve_several_callers_at_once() -> None:
    rng = np.random.default_rng(SEED)
    conv = Conv(65, 40)
    weights = conv.random_weights(rng)
    session = conv_model(conv, weights).session(threads=2)
    inputs = [conv.random_input(rng, (8 + i, 9), batch=2) for i in range(8)]
    with ThreadPoolExecutor(4) as callers:
        results = list(callers.map(lambda x: session.run(None, {"x": x})[0], inputs * 5))
    for x, y in zip(inputs * 5, results, strict=True):
        assert_same(y, expected_conv(conv, x, weights))


def test_a_constant_input_is_folded() -> None:
    # ONNX Runtime then runs the kernel while it optimises the graph, with no thread pool.
    rng = np.random.default_rng(SEED)
    conv = Conv(33, 4)
    weights, x = conv.random_weights(rng), conv.random_input(rng, (6, 5))
    model = replace(conv_model(conv, weights), shape=None, initialisers={"x": x})
    assert_same(model.session().run(None, {})[0], expected_conv(conv, x, weights))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (conv_model(Conv(8, 6, strides=(2, 2)), np.zeros((6, 9), np.uint8)), [5, 4, 6]),
        (conv_model(Conv(1, 1, group=8, ternary=True), np.zeros((2, 8, 2), np.uint8)), [9, 8, 8]),
        (
            Model(
                "OrderedConv",
                {"strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [1, 1]},
                None,
                np.zeros((3, 3, 8, 4), np.float32),
            ),
            [5, 4, 4],
        ),
        (Model("OrderedAveragePool", {"kernel_shape": [2, 2]}, None), [5, 4, 8]),
    ],
    ids=lambda value: value.operator if isinstance(value, Model) else "",
)
def test_static_shapes_survive(model: Model, expected: list[int]) -> None:
    def output_shape(batch: str | int | None, height: str | int) -> list[str | int | None]:
        session = replace(model, shape=[batch, height, 8, 8]).session()
        shape: list[str | int | None] = session.get_outputs()[0].shape
        return shape

    assert output_shape("N", 9) == ["N", *expected]
    assert output_shape(3, 9) == [3, *expected]
    # What is not known is not claimed.
    assert output_shape(None, 9) == []
    assert output_shape("N", "H") == []


BINARY = conv_model(Conv(64, 10), np.zeros((10, 72), np.uint8))
TERNARY = conv_model(Conv(64, 10, ternary=True), np.zeros((2, 10, 72), np.uint8))
FLOAT_CONV = Model(
    "OrderedConv",
    {"strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1]},
    ["N", "H", "W", "C"],
    np.zeros((3, 3, 4, 8), np.float32),
)
POOL = Model("OrderedAveragePool", {"kernel_shape": [2, 2]}, ["N", "H", "W", "C"])


def changed(model: Model, **attributes: Any) -> Model:
    """The model with other attributes; None removes one."""
    merged = model.attributes | attributes
    return replace(model, attributes={k: v for k, v in merged.items() if v is not None})


def with_weights(model: Model, shape: tuple[int, ...], dtype: Any = np.uint8) -> Model:
    return replace(model, weights=np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            changed(BINARY, packing_version=2),
            "attribute 'packing_version' has the value 2, expected 1; export the model again, or "
            "install the bdnet that it was made with",
        ),
        (
            changed(BINARY, packing_version=None),
            "attribute 'packing_version' is missing or of another type, expected an integer",
        ),
        (
            changed(BINARY, channels=64.0),
            "attribute 'channels' is missing or of another type, expected an integer",
        ),
        (
            changed(BINARY, pads=None),
            "attribute 'pads' is missing or of another type, expected 4 integers",
        ),
        (changed(BINARY, pads=[1, 1]), "attribute 'pads' has length 2, expected 4 integers"),
        (
            changed(TERNARY, strides=[1, 1, 1]),
            "attribute 'strides' has length 3, expected 2 integers",
        ),
        (
            changed(BINARY, strides=[1, 0]),
            "attribute 'strides' has the value 0, expected 1 to 2147483647",
        ),
        (
            changed(BINARY, dilations=[-1, 1]),
            "attribute 'dilations' has the value -1, expected 1 to 2147483647",
        ),
        (
            changed(BINARY, pads=[0, 0, 0, 1 << 40]),
            "attribute 'pads' has the value 1099511627776, expected 0 to 2147483647",
        ),
        (
            changed(BINARY, kernel_shape=[3, 0]),
            "attribute 'kernel_shape' has the value 0, expected 1 to 2147483647",
        ),
        (
            changed(BINARY, channels=(1 << 63) - 1),
            "attribute 'channels' has the value 9223372036854775807, expected 1 to 2147483647",
        ),
        (
            changed(BINARY, group=0),
            "attribute 'group' has the value 0, expected 1 to 2147483647",
        ),
        (
            changed(TERNARY, pad_value=2),
            "attribute 'pad_value' has the value 2, expected -1, 0 or 1",
        ),
        (changed(BINARY, group=4), "the weights have 10 filters, expected a multiple of group 4"),
        (
            changed(BINARY, channels=1 << 23),
            "a filter of kernel_shape 3x3, channels 8388608 has 2^24 weights or more, whose sum "
            "float32 cannot hold exactly",
        ),
        (
            with_weights(BINARY, (10, 71)),
            "the packed weights have 71 bytes per filter, expected 72 (kernel_shape 3x3, channels "
            "64: 576 bits)",
        ),
        (
            with_weights(TERNARY, (2, 10, 73)),
            "the packed weights have 73 bytes per filter, expected 72 (kernel_shape 3x3, channels "
            "64: 576 bits)",
        ),
        (
            with_weights(BINARY, (0, 72)),
            "the weights have 0 filters, expected 1 to 2147483647",
        ),
        (
            with_weights(BINARY, (2, 10, 72)),
            "the packed weights have rank 3, expected 2 (filters, bytes)",
        ),
        (
            with_weights(TERNARY, (10, 72)),
            "the packed weights have rank 2, expected 3 (2 bit planes, filters, bytes)",
        ),
        (
            with_weights(TERNARY, (1, 10, 72)),
            "the packed weights have the shape 1x10x72, expected 2 bit planes in the first "
            "dimension",
        ),
        (
            with_weights(BINARY, (10, 72), np.int8),
            "expected tensor(uint8) for the packed weights, got tensor(int8)",
        ),
        (
            replace(BINARY, x_type=TensorProto.DOUBLE),
            "expected tensor(float) for the input, got tensor(double)",
        ),
        (
            replace(TERNARY, constant_weights=False),
            "expected a constant of the graph for the packed weights, got a value that is computed "
            "or given at run time",
        ),
        (
            changed(FLOAT_CONV, strides=[0, 1]),
            "attribute 'strides' has the value 0, expected 1 to 2147483647",
        ),
        (
            with_weights(FLOAT_CONV, (3, 3, 4), np.float32),
            "the weights have rank 3, expected 4 (kernel height, kernel width, channels, filters)",
        ),
        (
            with_weights(FLOAT_CONV, (3, 3, 0, 4), np.float32),
            "the weights have an empty dimension, expected none",
        ),
        (
            replace(FLOAT_CONV, constant_weights=False),
            "expected a constant of the graph for the weights, got a value that is computed or "
            "given at run time",
        ),
        (
            changed(POOL, kernel_shape=[2]),
            "attribute 'kernel_shape' has length 1, expected 2 integers",
        ),
        (
            changed(POOL, kernel_shape=[2, -2]),
            "attribute 'kernel_shape' has the value -2, expected 1 to 2147483647",
        ),
        (
            replace(POOL, x_type=TensorProto.FLOAT16),
            "expected tensor(float) for the input, got tensor(float16)",
        ),
    ],
)
def test_a_faulty_node_is_refused_with_the_session(model: Model, message: str) -> None:
    with pytest.raises(bdnet_runtime.InputError) as error:
        model.session()
    assert f"ai.bdnet.{model.operator} 'body.3/op': {message}" in str(error.value)


@pytest.mark.parametrize("inputs", [["", "w"], ["x", ""], ["x"], ["x", "w", "w"]])
def test_a_node_with_other_inputs_is_refused(inputs: list[str]) -> None:
    with pytest.raises(bdnet_runtime.InputError, match=r"body\.3/op"):
        replace(BINARY, inputs=inputs).session()


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (
            BINARY,
            (1, 5, 5, 63),
            "the input has 63 channels, the packed weights are for 64 (group 1 x channels 64)",
        ),
        (
            FLOAT_CONV,
            (1, 5, 5, 3),
            "the input has 3 channels, the weights are for 4 (group 1 x channels 4)",
        ),
        (
            replace(TERNARY, shape=["H", "W", "C"]),
            (5, 5, 64),
            "the input has rank 3, expected 4 (batch, height, width, channels)",
        ),
        (
            replace(POOL, shape=[]),
            (),
            "the input has rank 0, expected 4 (batch, height, width, channels)",
        ),
        (
            BINARY,
            (1, 0, 5, 64),
            "the input has the shape 1x0x5x64, expected height, width and channels of 1 to "
            "2147483647 (only the batch may be empty)",
        ),
        (
            TERNARY,
            (0, 5, 0, 64),
            "the input has the shape 0x5x0x64, expected height, width and channels of 1 to "
            "2147483647 (only the batch may be empty)",
        ),
        (
            POOL,
            (1, 5, 5, 0),
            "the input has the shape 1x5x5x0, expected height, width and channels of 1 to "
            "2147483647 (only the batch may be empty)",
        ),
        (
            changed(BINARY, pads=[0, 0, 0, 0], dilations=[1, 2]),
            (1, 4, 4, 64),
            "the kernel covers 3x5 (kernel_shape 3x3, dilations 1x2), the padded input has only "
            "4x4; use a larger input",
        ),
        (
            FLOAT_CONV,
            (1, 2, 9, 4),
            "the kernel covers 3x3 (kernel_shape 3x3, dilations 1x1), the padded input has only "
            "2x9; use a larger input",
        ),
        (
            changed(BINARY, pads=[2**31 - 1] * 4),
            (1, 2, 2, 64),
            "the padded input would have the shape 1x4294967296x4294967296x64, more than can be "
            "addressed; use a smaller input or less padding",
        ),
    ],
)
def test_an_input_that_does_not_fit_is_refused(
    model: Model, shape: tuple[int, ...], message: str
) -> None:
    session = model.session()
    with pytest.raises(Exception, match="Status Message") as error:
        session.run(None, {"x": np.zeros(shape, np.float32)})
    assert f"ai.bdnet.{model.operator} 'body.3/op': {message}" in str(error.value)


def test_signs_that_have_no_place_are_refused() -> None:
    # The output is one pixel, but before it come 2^42 pixels of padding. How many bytes those take
    # depends on the kernels.
    session = changed(BINARY, pads=[2**20] * 4, strides=[2**22, 2**22]).session()
    message = (
        r"ai\.bdnet\.BinaryConv 'body\.3/op': the signs of the padded input take \d+ bytes, more "
        "than there is memory; use a smaller batch or input"
    )
    with pytest.raises(Exception, match=message):
        session.run(None, {"x": np.zeros((1, 1, 1, 64), np.float32)})


def test_a_session_outlives_a_refused_input() -> None:
    session = BINARY.session()
    with pytest.raises(Exception, match="the input has 63 channels"):
        session.run(None, {"x": np.zeros((1, 3, 3, 63), np.float32)})
    assert session.run(None, {"x": np.zeros((1, 3, 3, 64), np.float32)})[0].shape == (1, 3, 3, 10)
