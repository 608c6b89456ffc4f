"""Bad input: the fuzz targets on their kept inputs, and mutated models in ONNX Runtime.

The long runs are ``make fuzz`` and ``make mutate`` (docs/robustness.md). Here every target sees its
corpus and every input that was once a finding, and some mutants are tried that nobody has seen.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import onnx
import pytest

from fuzz import targets
from fuzz.base_models import base_models
from fuzz.campaign import Worker, try_models, try_mutants
from support.cpp_build import ROOT, build, require
from support.tools import unavailable

COMPILER = "clang++-19"
MUTANTS = 36


@pytest.fixture(scope="module")
def built() -> None:
    """Every target, with AddressSanitizer and UBSan."""
    require(COMPILER, "clang-19")
    if not list(Path("/usr/lib/llvm-19/lib/clang").glob("*/lib/linux/libclang_rt.fuzzer-*.a")):
        unavailable("Clang has no libFuzzer (Debian: libclang-rt-19-dev)")
    build(targets.BUILD, "bdnet_fuzz", "--preset", "fuzz")


@pytest.fixture(scope="module")
def sound_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The models that are mutated."""
    return base_models(tmp_path_factory.mktemp("models"))


def test_every_operator_has_a_target() -> None:
    sources = (ROOT / "runtime" / "ort").glob("*_op.h")
    operators = {
        line.split('"')[1]
        for source in sources
        for line in source.read_text().splitlines()
        if "kName = " in line
    }
    # It has no inputs and no attributes.
    assert operators - {"LibraryInfo"} == set(targets.names()) - {"packing", "sizes"}


@pytest.mark.parametrize("name", targets.names())
def test_kept_inputs(built: None, name: str, tmp_path: Path) -> None:
    inputs = targets.read_inputs(targets.CORPUS / f"{name}.txt")
    assert inputs, f"{name} has no corpus; python -m fuzz.run --keep writes it"
    found = targets.read_inputs(targets.FINDINGS / f"{name}.txt")
    targets.unpack(inputs + found, tmp_path / "inputs")
    done = targets.run(name, "-runs=0", tmp_path / "inputs", folder=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    # An empty input is run as well, and one after which memory seems to be lost a second time.
    ran = re.search(r"#(\d+)\tINITED", done.stdout)
    assert ran is not None, done.stdout[-2000:]
    assert int(ran[1]) > len(inputs + found), done.stdout[-2000:]


def test_mutated_models(sound_models: dict[str, bytes], tmp_path: Path) -> None:
    seed = os.environ.get("BDNET_FUZZ_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"BDNET_FUZZ_SEED={seed}")
    folder = tmp_path / "mutants"
    folder.mkdir()
    names = [f"{seed}-{index}" for index in range(MUTANTS)]
    verdict = try_mutants(sound_models, names, folder, Worker())
    print(verdict)
    assert not verdict.findings, "\n".join(verdict.findings)
    assert not verdict.runtimes_own, "\n".join(verdict.runtimes_own)
    assert verdict.ran + verdict.refused == MUTANTS


def test_a_wrong_answer_is_a_finding(sound_models: dict[str, bytes], tmp_path: Path) -> None:
    """The comparison sees a library that is wrong: here one whose operator means something else."""
    sound = sound_models["BinaryConv"]
    model = onnx.load_model_from_string(sound)
    (body,) = model.functions
    body.node[-1].output[0] = "negative"
    body.node.append(onnx.helper.make_node("Neg", ["negative"], [body.output[0]]))
    folder = tmp_path / "models"
    folder.mkdir()
    models = {"sound": (sound, True), "other": (model.SerializeToString(), True)}
    verdict = try_models(models, folder, Worker())
    assert verdict.compared == 2
    (finding,) = verdict.findings
    assert finding.startswith("other "), finding
    assert finding.endswith("output 0 differs")
