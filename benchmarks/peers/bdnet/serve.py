"""bdnet's exported file with bdnet's own library.

Usage: python -m benchmarks.peers.bdnet.serve THREADS MODEL.onnx
"""

import sys

import bdnet_runtime
from bdnet_runtime.model_input import model_inputs
from benchmarks.peers.contestant import image, serve


def main(threads: int, model: str) -> None:
    session = bdnet_runtime.create_session(model, threads=threads)
    (taken,) = model_inputs(session)
    feed = {taken.name: image()}
    if taken.shape != feed[taken.name].shape:
        sys.exit(
            f"{model} takes {taken.shape}; the peers' networks take (1, 3, 224, 224), so export "
            "it with input_shape=(3, 224, 224)"
        )
    facts = bdnet_runtime.info()
    serve(
        f"{facts['bdnet']}, ONNX Runtime {facts['onnxruntime']}",
        f"threads={threads}",
        f"isa {facts['isa']}",
        lambda: session.run(None, feed),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
