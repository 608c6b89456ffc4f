"""Larq Compute Engine at its best on x86: the indirect BGEMM, and XNNPACK for what is float.

Usage: python -m benchmarks.peers.larq.serve THREADS binary FOLDER

Its documentation warns that x86 falls back on reference kernels. The indirect BGEMM does not,
and is the fastest that it has (benchmarks/peers/README.md).
"""

import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from larq_compute_engine.mlir.python import tflite_schema
from larq_compute_engine.tflite.python.interpreter import Interpreter

from benchmarks.peers.contestant import image, serve


def operators(model: bytes) -> Counter[str]:
    """How many operators of which type the converter made of the network."""
    names = {value: name for name, value in vars(tflite_schema.BuiltinOperator).items()}
    content = tflite_schema.ModelT.InitFromPackedBuf(model, 0)
    codes = [
        code.customCode.decode() if code.customCode else names[code.builtinCode]
        for code in content.operatorCodes
    ]
    return Counter(codes[operator.opcodeIndex] for operator in content.subgraphs[0].operators)


def main(threads: int, folder: Path) -> None:
    settings = {
        "num_threads": threads,
        "use_reference_bconv": False,
        "use_indirect_bgemm": True,
        "use_xnnpack": True,
    }
    model = (folder / "binary.tflite").read_bytes()
    interpreter = Interpreter(model, **settings)
    picture = image(channels_last=True)
    serve(
        version("larq-compute-engine"),
        ", ".join(f"{name}={value}" for name, value in settings.items()),
        ", ".join(f"{count} {name}" for name, count in sorted(operators(model).items())),
        lambda: interpreter.predict(picture),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[3]))
