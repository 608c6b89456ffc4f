"""The choice of kernels by BDNET_ISA: every one gives the same bits, a wrong one a sentence.

The library chooses once, when it is loaded, so each choice gets a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet_export.contestants import ISAS
from bdnet_export.model_file import load_model, with_outputs
from support.networks import TINY_SHAPE, small_mobilenet, tiny_network
from support.operator_cases import assert_equal

INFO = "import bdnet_runtime, json; print(json.dumps(bdnet_runtime.info()))"

RUN = """
import sys
import numpy as np
import bdnet_runtime

model, x, y = sys.argv[1:]
session = bdnet_runtime.create_session(model)
np.save(y, session.run(None, {session.get_inputs()[0].name: np.load(x)})[-1])
"""


def python(isa: str | None, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``code`` in a fresh process with BDNET_ISA set to ``isa``, or unset."""
    variables = {name: value for name, value in os.environ.items() if name != "BDNET_ISA"}
    if isa is not None:
        variables["BDNET_ISA"] = isa
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def require(isa: str) -> None:
    """Skips on a processor, or a build, without these kernels; any other fault is a failure."""
    done = python(isa, INFO)
    if isa != "reference" and "but on this processor bdnet runs" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("isa", ISAS)
def test_info_says_which_kernels_and_why(isa: str) -> None:
    require(isa)
    found = json.loads(python(isa, INFO).stdout)
    assert (found["isa"], found["reason"]) == (isa, "BDNET_ISA asked for it")


@pytest.mark.parametrize("nothing", [None, ""], ids=["unset", "empty"])
def test_without_a_wish_the_fastest_are_chosen(nothing: str | None) -> None:
    found = json.loads(python(nothing, INFO).stdout)
    assert found["isa"] in ISAS
    assert found["reason"].startswith("chosen: ")


@pytest.mark.parametrize("wrong", ["sse9", "AVX2", " "])
def test_a_wrong_wish_is_one_sentence(wrong: str) -> None:
    code = """
import bdnet_runtime
try:
    bdnet_runtime.info()
except bdnet_runtime.InputError as error:
    print(error)
"""
    done = python(wrong, code)
    assert done.returncode == 0, done.stderr
    (sentence,) = done.stdout.splitlines()
    assert f"BDNET_ISA is '{wrong}', but on this processor bdnet runs " in sentence
    assert "reference; set it to one of these, or unset it to get " in sentence


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("name", ["mobilenet", "tiny"])
def test_a_whole_network_has_the_same_bits(name: str, fuse: bool, isa: str, tmp_path: Path) -> None:
    require(isa)
    network, shape = (
        (small_mobilenet(seed=5), (1, 28, 28))
        if name == "mobilenet"
        else (tiny_network(seed=5), TINY_SHAPE)
    )
    exported = tmp_path / "exported.onnx"
    bdnet_export.export(network, exported, input_shape=shape, fuse=fuse)
    deployed = bdnet.deploy(network)
    model = load_model(exported)
    path = tmp_path / "features.onnx"
    path.write_bytes(with_outputs(model, [deployed.layers()[-1]]))
    images = np.random.default_rng(5).standard_normal((3, *shape)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)

    done = python(isa, RUN, str(path), str(tmp_path / "x.npy"), str(tmp_path / "y.npy"))
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        expected: npt.NDArray[np.float32] = deployed.features(torch.from_numpy(images)).numpy()
    assert_equal(expected, np.load(tmp_path / "y.npy"), f"{name} on {isa}")
    bodies = bdnet_runtime.create_session(path, use_library=False)
    plain = bodies.run(None, {bodies.get_inputs()[0].name: images})[-1]
    assert_equal(expected, plain, f"{name} without the library")
