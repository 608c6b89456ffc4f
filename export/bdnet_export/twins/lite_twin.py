"""The float twin as a .tflite file, made by TensorFlow's converter.

TensorFlow is in an environment of its own, in the user's cache, and downloaded when it is first
needed. litert-torch would do as well: the same operators and the same speed within a hundredth,
but it brings PyTorch once more, by default with CUDA.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from bdnet import InputError
from bdnet_devices.cache import keep
from bdnet_devices.device import Progress
from bdnet_devices.pip import pip

TENSORFLOW = "tensorflow-cpu==2.21.0"
SCRIPT = Path(__file__).with_name("lite_convert.py")

# Without the folder it starts in, whose modules a user may have named as ours are.
RUN = (
    "import runpy, sys; sys.path[:] = filter(None, sys.path); "
    "sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def lite_twin(float_model: onnx.ModelProto, batch: int, path: Path, progress: Progress) -> None:
    """Writes ``float_model`` to ``path`` as a .tflite file, with the same weights.

    Images are channels last there, as TensorFlow Lite has them: [batch, height, width, channels].

    Args:
        float_model: from `float_twin`.
        batch: images a run; the file has no other.

    Raises:
        InputError: TensorFlow cannot be had for this Python, or ``path`` cannot be written.
    """
    packages = _environment(progress)
    progress("converting the fp32 twin to .tflite", 0.0)
    with tempfile.TemporaryDirectory() as folder:
        described, made = Path(folder, "layers.npz"), Path(folder, "twin.tflite")
        np.savez(described, **_described(float_model, batch))
        done = subprocess.run(
            # -S: of the packages that are installed here, none.
            [sys.executable, "-S", "-c", RUN, str(SCRIPT), str(described), str(made)],
            env={**os.environ, "PYTHONPATH": str(packages), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise InputError(
                f"{TENSORFLOW} did not make a .tflite file of the fp32 twin: {lines[-1]}; if its "
                f"folder is damaged, remove {packages}"
            )
        try:
            path.write_bytes(made.read_bytes())
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _environment(progress: Progress) -> Path:
    """The folder that holds TensorFlow and all that it needs."""

    def fill(folder: Path) -> None:
        progress(f"downloading {TENSORFLOW}, once (about 300 MB)", 0.0)
        options = ("--quiet", "--only-binary=:all:", "--target", str(folder))
        try:
            pip("install", *options, "--", TENSORFLOW)
        except InputError as error:
            raise InputError(
                f"{TENSORFLOW}, which makes .tflite files, cannot be installed for this Python: "
                f"{error}; make the file elsewhere and give its path to --against"
            ) from None

    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return keep(f"converter/{TENSORFLOW}-{python}", fill)


def _described(model: onnx.ModelProto, batch: int) -> dict[str, Any]:
    """The twin's convolutions and its classifier, in their order.

    Returns:
        ``description``: JSON with ``input_shape`` [N, C, H, W] and the attributes of each
        convolution; ``weight0``, ``bias0`` and so on, the classifier's last.
    """
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    image = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim][1:]
    layers = [
        {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        for node in nodes
        if node.op_type == "Conv"
    ]
    arrays: dict[str, Any] = {
        "description": json.dumps({"input_shape": [batch, *image], "layers": layers})
    }
    for i, node in enumerate(nodes):
        arrays[f"weight{i}"], arrays[f"bias{i}"] = (constants[name] for name in node.input[1:])
    return arrays
