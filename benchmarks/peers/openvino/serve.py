"""OpenVINO's own CPU plug-in.

Usage: python -m benchmarks.peers.openvino.serve THREADS fp32|int8|binary|bdnet FOLDER
"""

from __future__ import annotations

import sys
from collections import Counter

import openvino as ov

from benchmarks.peers.contestant import image, serve
from benchmarks.peers.openvino.network import NETWORKS

REPORTED = ("BinaryConvolution", "Convolution", "FakeQuantize")


def kernels(compiled: ov.CompiledModel) -> str:
    """How many layers of which type ran with which kernel, as OpenVINO itself reports it."""
    counts: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        kind, kernel = (node.rt_info[key].astype(str) for key in ("layerType", "primitiveType"))
        if kind in REPORTED:
            counts[f"{kind} {kernel}"] += 1
    return ", ".join(f"{count} {kernel}" for kernel, count in sorted(counts.items()))


def main(threads: int, name: str) -> None:
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Otherwise what is float is computed in bfloat16 where the processor can.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = ov.Core().compile_model(NETWORKS[name]().model(), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(image()))
    serve(
        ov.get_version(),
        ", ".join(f"{key}={value}" for key, value in settings.items()),
        kernels(compiled),
        request.infer,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
