"""Whole networks on an emulated 64-bit ARM processor: the same bits as on this one.

ONNX Runtime's own build for aarch64 loads our library, cross-compiled, under qemu-user.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

import bdnet
import bdnet_export
from bdnet import BDNet, Preprocessing
from bdnet_export import random_images
from bdnet_export.model_file import load_model, with_outputs
from support.arm import python_on_arm
from support.int8_models import in_numpy, int8_model, linear_constants, rows
from support.networks import TINY_SHAPE, small_mobilenet, tiny_network
from support.operator_cases import assert_equal

PREPROCESSING = Preprocessing((0.485, 0.456), (0.229, 0.225))

# One process for everything: importing ONNX Runtime alone takes emulation seconds.
RUN = """
import json, sys
from pathlib import Path
import numpy as np
import bdnet_runtime

folder = Path(sys.argv[1])
for model in sorted(folder.glob("*.onnx")):
    session = bdnet_runtime.create_session(model)
    x = np.load(model.with_suffix(".x.npy"))
    np.save(model.with_suffix(".y.npy"), session.run(None, {session.get_inputs()[0].name: x})[-1])
print(json.dumps(bdnet_runtime.info()))
"""


def networks() -> dict[str, tuple[BDNet, tuple[int, int, int]]]:
    return {
        "mobilenet": (small_mobilenet(seed=5), (1, 28, 28)),
        "tiny": (tiny_network(seed=5), TINY_SHAPE),
    }


def _export_bytes(path: Path) -> None:
    """A file that normalises image bytes, and of any size, with its images."""
    network = tiny_network(seed=5)
    bdnet_export.export(
        network,
        path,
        input_shape=TINY_SHAPE,
        preprocessing=PREPROCESSING,
        as_bytes=True,
        dynamic_size=True,
    )
    path.write_bytes(with_outputs(load_model(path), [bdnet.deploy(network).layers()[-1]]))
    images = random_images(2, (TINY_SHAPE[0], 13, 17), as_bytes=True).images
    np.save(path.with_suffix(".x.npy"), images)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Every file run on the emulated processor; and what info() says there."""
    folder = tmp_path_factory.mktemp("aarch64")
    command, environment = python_on_arm("cortex-a72")
    for name, (network, shape) in networks().items():
        x = np.random.default_rng(5).standard_normal((2, *shape)).astype(np.float32)
        for fuse in (True, False):
            path = folder / f"{name}-{'fused' if fuse else 'layers'}.onnx"
            bdnet_export.export(network, path, input_shape=shape, fuse=fuse)
            features = with_outputs(load_model(path), [bdnet.deploy(network).layers()[-1]])
            path.write_bytes(features)
            np.save(path.with_suffix(".x.npy"), x)
    onnx.save(int8_model(*linear_constants()), folder / "int8.onnx")
    np.save(folder / "int8.x.npy", rows())
    _export_bytes(folder / "bytes.onnx")
    done = subprocess.run(
        [*command, "-c", RUN, folder], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


def test_the_library_there_runs_neon_kernels(ran: tuple[Path, dict[str, str]]) -> None:
    _, found = ran
    assert "aarch64" in found["platform"]
    assert found["isa"] == "neon"
    assert found["reason"] == "chosen: every 64-bit ARM processor has NEON"


@pytest.mark.parametrize("form", ["fused", "layers"])
@pytest.mark.parametrize("name", ["mobilenet", "tiny"])
def test_a_whole_network_has_the_same_bits(
    name: str, form: str, ran: tuple[Path, dict[str, str]]
) -> None:
    folder, _ = ran
    deployed = bdnet.deploy(networks()[name][0])
    x = np.load(folder / f"{name}-{form}.x.npy")
    with torch.no_grad():
        expected: npt.NDArray[np.float32] = deployed.features(torch.from_numpy(x)).numpy()
    assert_equal(expected, np.load(folder / f"{name}-{form}.y.npy"), f"{name}, {form}")


def test_bytes_become_the_same_features(ran: tuple[Path, dict[str, str]]) -> None:
    folder, _ = ran
    images = np.load(folder / "bytes.x.npy")
    outside = torch.from_numpy(PREPROCESSING(images.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        expected = bdnet.deploy(tiny_network(seed=5)).features(outside).numpy()
    assert_equal(expected, np.load(folder / "bytes.y.npy"), "bytes")


def test_an_int8_layer_gives_the_same_bits(ran: tuple[Path, dict[str, str]]) -> None:
    folder, _ = ran
    expected = in_numpy(*linear_constants(), rows())
    assert_equal(expected, np.load(folder / "int8.y.npy"), "int8")
