"""A Linear layer in int8 as a model of its own, and what it computes, step by step in NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from bdnet_export.int8_linear import quantise_linears

Floats = npt.NDArray[np.float32]
INPUTS, OUTPUTS = 203, 17


def linear_constants(seed: int = 0) -> tuple[Floats, Floats]:
    """weight [M, K], one row of it zeros, and bias [M]."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((OUTPUTS, INPUTS), dtype=np.float32)
    weight[3] = 0
    return weight, rng.standard_normal(OUTPUTS, dtype=np.float32)


def rows(seed: int = 1) -> Floats:
    """[6, K]: of several ranges, one of values that are all equal, one of zeros."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((6, INPUTS), dtype=np.float32)
    x *= np.float32([[1], [100], [1e-3], [1], [1], [1]])
    x[3] += np.float32(7)
    x[4], x[5] = np.float32(0.3), 0
    return x


def linear_model(weight: Floats, bias: Floats | None, *, gemm: bool = True) -> onnx.ModelProto:
    """y = x @ weight.T + bias in float: a Gemm, or a MatMul."""
    stored = {"w.weight": weight if gemm else weight.T.copy()}
    if bias is not None:
        stored["w.bias"] = bias
    attributes = {"transB": 1} if gemm else {}
    node = helper.make_node("Gemm" if gemm else "MatMul", ["x", *stored], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", OUTPUTS])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.bdnet", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def int8_model(weight: Floats, bias: Floats | None, *, gemm: bool = True) -> onnx.ModelProto:
    """The same with its weight in int8."""
    model = linear_model(weight, bias, gemm=gemm)
    assert quantise_linears(model) == ("w.weight",)
    onnx.checker.check_model(model, full_check=True)
    return model


def in_numpy(weight: Floats, bias: Floats | None, x: Floats) -> Floats:
    """What the int8 layer computes: every step rounded to float32."""
    f = np.float32
    scale = np.abs(weight).max(axis=1) / f(127)
    scale[scale == 0] = 1
    steps = np.rint(weight.astype(np.float64) / scale[:, None])
    total = (steps.sum(axis=1) * scale).astype(f)
    least = x.min(axis=1, keepdims=True)
    step = np.maximum(x.max(axis=1, keepdims=True) - least, f(1e-30)) / f(255)
    read = np.rint((x - least) / step)
    assert read.min() >= 0
    assert read.max() <= 255
    sums = (read.astype(np.int64) @ steps.astype(np.int64).T).astype(f)
    y = sums * step * scale + least * total
    return y if bias is None else y + bias
