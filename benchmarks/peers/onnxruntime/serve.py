"""ONNX Runtime's own operators.

Usage: python -m benchmarks.peers.onnxruntime.serve THREADS fp32|int8|matmul FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.peers.contestant import image, serve


def main(threads: int, name: str, folder: Path) -> None:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(folder / f"{name}.onnx", options, ["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    feed = {"x": image() if name != "matmul" else np.resize(image(), taken.shape)}
    serve(
        ort.__version__,
        f"intra_op_num_threads={threads}",
        "[196, 512] x [512, 512]" if name == "matmul" else "CPUExecutionProvider",
        lambda: session.run(None, feed),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
