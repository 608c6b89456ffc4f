"""LiteRT, with XNNPACK, which it takes by itself.

Usage: python -m benchmarks.peers.litert.serve THREADS fp32|int8 FOLDER
"""

import sys
from importlib.metadata import version
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from benchmarks.peers.contestant import image, serve


def main(threads: int, precision: str, folder: Path) -> None:
    interpreter = Interpreter(str(folder / f"{precision}.tflite"), num_threads=threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image(channels_last=True))
    operators = [operator["op_name"] for operator in interpreter._get_ops_details()]
    serve(
        version("ai-edge-litert"),
        f"num_threads={threads}",
        f"{operators.count('DELEGATE')} subgraphs by XNNPACK",
        interpreter.invoke,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
