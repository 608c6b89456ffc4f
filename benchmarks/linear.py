"""Linear layers of signs beside ONNX Runtime's float Gemm of the same shape.

Usage: python benchmarks/linear.py [THREADS]. Measures whole sessions of one node, in turn, and
prints Markdown: for each shape the median over rounds of a round's shortest run, and the ratio's
spread.
"""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import bdnet_runtime

SHAPES = ((1, 1024, 1000), (64, 1024, 1000), (1, 4096, 4096))
ROUNDS = 20
SECONDS = 0.1

Array = npt.NDArray[Any]


def _model(operator: str, rows: int, constants: dict[str, Array], **attributes: Any) -> bytes:
    """A graph of one node with input ``x`` [rows, inputs]."""
    inputs = attributes.get("channels") or constants["weight"].shape[1]
    domain = "" if operator == "Gemm" else "ai.bdnet"
    node = helper.make_node(operator, ["x", *constants], ["y"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.bdnet", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def _models(rows: int, inputs: int, outputs: int) -> dict[str, bytes]:
    random = np.random.default_rng(0)
    weight = random.standard_normal((outputs, inputs), dtype=np.float32)
    packed = random.integers(0, 256, (2, outputs, -(-inputs // 8)), np.uint8)
    about = {"channels": inputs, "packing_version": 1}
    return {
        "Gemm": _model("Gemm", rows, {"weight": weight, "bias": weight[:, 0]}, transB=1),
        "BinaryLinear": _model("BinaryLinear", rows, {"weight": packed[0]}, **about),
        "TernaryLinear": _model("TernaryLinear", rows, {"weight": packed}, **about),
    }


def _shortest(session: onnxruntime.InferenceSession, x: Array) -> float:
    """Microseconds of the shortest run of some."""
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        session.run(None, {"x": x})
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def main(threads: int) -> None:
    names = "Gemm, µs | BinaryLinear, µs | TernaryLinear, µs | Gemm / BinaryLinear"
    print(f"| shape, {threads} thread(s) | {names} |")
    print("|---|---|---|---|---|")
    for rows, inputs, outputs in SHAPES:
        x = np.random.default_rng(1).standard_normal((rows, inputs), dtype=np.float32)
        sessions = {
            name: bdnet_runtime.create_session(model, threads=threads)
            for name, model in _models(rows, inputs, outputs).items()
        }
        times = [
            {name: _shortest(session, x) for name, session in sessions.items()}
            for _ in range(ROUNDS)
        ]
        medians = (f"{median(round_[name] for round_ in times):.1f}" for name in sessions)
        ratios = sorted(round_["Gemm"] / round_["BinaryLinear"] for round_ in times)
        print(
            f"| {rows} x {inputs} x {outputs} | {' | '.join(medians)} "
            f"| {median(ratios):.0f} ({ratios[0]:.0f}–{ratios[-1]:.0f}) |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
