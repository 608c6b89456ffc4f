"""Runs the wheels of a folder as users would: in clean environments, by the exact comparison.

x86-64: a new virtual environment gets the wheel with its extra ``export``, exports the shipped
network and validates it. aarch64: the wheel and a Debian under qemu-user verify the same file, by
values that the first environment computed with PyTorch. Every value must be equal.

Usage: python release/try_wheels.py FOLDER
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.arm import packages_for_arm, python_of_arm  # noqa: E402

# Writes what the aarch64 wheel is compared with: a file that puts out its features, and images with
# what PyTorch makes of them.
REFERENCE = """
from pathlib import Path
import numpy as np, torch, bdnet
from bdnet.zoo import checkpoint_path, held_out_images
from bdnet_export.model_file import load_model, with_outputs
from bdnet_runtime.verification import Reference

checkpoint = checkpoint_path("fashion-mnist")
deployed = bdnet.deploy(bdnet.load(checkpoint))
features = deployed.layers()[-1]
Path("features.onnx").write_bytes(with_outputs(load_model(Path("model.onnx")), [features]))
bytes_ = np.load(held_out_images("fashion-mnist"))["images"][:20]
images = bdnet.read_metadata(checkpoint).preprocessing(bytes_)
with torch.no_grad():
    x = torch.from_numpy(images)
    values = {features: deployed.features(x).numpy()}
    Reference(images, deployed(x).numpy(), values).save(Path("reference.npz"))
"""


def run(*command: str | Path, folder: Path, env: dict[str, str] | None = None) -> str:
    """Runs a command in ``folder``; what it prints, where it succeeds."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env=clean | (env or {}), stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"try_wheels: {' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def only(folder: Path, machine: str) -> Path:
    (wheel,) = folder.glob(f"bdnet-*_{machine}.whl")
    return wheel


def natively(wheel: Path, folder: Path) -> None:
    """Exports and validates in a new environment; leaves model.onnx and the reference."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt")
    run(*pip, f"{wheel}[export]", folder=folder)
    command = environment / "bin" / "bdnet-export"
    run(command, "export", "fashion-mnist", "-o", "model.onnx", folder=folder)
    print(run(command, "validate", "model.onnx", "fashion-mnist", folder=folder), flush=True)
    run(python, "-c", REFERENCE, folder=folder)


def on_arm(wheel: Path, folder: Path) -> None:
    """Verifies model.onnx under emulation, with the library and without."""
    unpacked = folder / "aarch64"
    zipfile.ZipFile(wheel).extractall(unpacked)
    env = {"PYTHONPATH": f"{unpacked}{os.pathsep}{packages_for_arm()}"}
    verify = (*python_of_arm("cortex-a72"), "-m", "bdnet_runtime.verify")
    for options in ((), ("--no-library",)):
        printed = run(*verify, *options, "features.onnx", "reference.npz", folder=folder, env=env)
        result = json.loads(printed.splitlines()[-1])
        print(
            f"aarch64, {result['isa'] or 'standard operators'}: {result['different']} of "
            f"{result['values']:,} values differ on {result['images']} images, largest error of a "
            f"logit {result['logits']['worst']:.1e}",
            flush=True,
        )
        if not result["passed"]:
            sys.exit("try_wheels: the wheel for aarch64 computes something else")


if __name__ == "__main__":
    wheels = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="bdnet-try-") as temporary:
        natively(only(wheels, "x86_64"), Path(temporary))
        on_arm(only(wheels, "aarch64"), Path(temporary))
