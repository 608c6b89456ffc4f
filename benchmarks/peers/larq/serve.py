"""Larq Compute Engine at its best on x86: the indirect BGEMM, and XNNPACK for what is float.

Usage: python -m benchmarks.peers.larq.serve THREADS binary FOLDER

Its documentation warns that x86 falls back on reference kernels. The indirect BGEMM does not: see
benchmarks/peers/README.md for the other settings' times.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.contestant import image, serve
from larq_compute_engine.tflite.python.interpreter import Interpreter


def main(threads: int, folder: Path) -> None:
    settings = {
        "num_threads": threads,
        "use_reference_bconv": False,
        "use_indirect_bgemm": True,
        "use_xnnpack": True,
    }
    interpreter = Interpreter((folder / "binary.tflite").read_bytes(), **settings)
    picture = image(channels_last=True)
    operators = json.loads((folder / "operators.json").read_text())
    serve(
        version("larq-compute-engine"),
        ", ".join(f"{name}={value}" for name, value in settings.items()),
        ", ".join(f"{count} {name}" for name, count in sorted(operators.items())),
        lambda: interpreter.predict(picture),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[3]))
