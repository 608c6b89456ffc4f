"""Whole networks on an emulated 64-bit ARM processor: the same bits as on this one.

ONNX Runtime's own build for aarch64 loads our library, cross-compiled, under qemu-user.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

import bdnet
import bdnet_export
from bdnet import BDNet
from bdnet_export.model_file import load_model, with_outputs
from support.arm import python_on_arm
from support.networks import TINY_SHAPE, small_mobilenet, tiny_network
from support.operator_cases import assert_equal

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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Every network, fused and not, run on the emulated processor; and what info() says there."""
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
