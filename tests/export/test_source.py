"""SOURCE: a checkpoint, a shipped model, a function; and every way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import bdnet
from bdnet import InputError
from bdnet_export import load_source

MODULE = """
import bdnet, torch
def network():
    return bdnet.BDMobileNetV1(width=0.25, num_classes=3, in_channels=2)
def tensor():
    return torch.zeros(1)
def broken():
    raise RuntimeError("no weights at hand")
def leaves():
    raise SystemExit(0)
constant = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "their_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "their_models", raising=False)
    return "their_models"


def test_a_checkpoint_brings_what_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = bdnet.BDMobileNetV1(width=0.25, num_classes=3, in_channels=1)
    preprocessing = bdnet.Preprocessing((0.5,), (0.25,))
    bdnet.save(model, path, input_shape=(1, 32, 32), preprocessing=preprocessing)
    source = load_source(str(path))
    assert source.input_shape == (1, 32, 32)
    assert source.preprocessing == preprocessing
    assert source.model.config == model.config
    assert not source.model.training


def test_a_function_in_the_working_folder(module: str) -> None:
    source = load_source(f"{module}:network")
    assert source.model.config["in_channels"] == 2
    assert source.input_shape is None


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("tensor", "returned a Tensor; expected a torch.nn.Module"),
        ("broken", "raised RuntimeError: no weights at hand"),
        ("leaves", "raised SystemExit: 0"),
        ("constant", "has no function 'constant'"),
        ("missing", "has no function 'missing'"),
        ("", "names no function"),
    ],
)
def test_functions_that_are_none(module: str, function: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_source(f"{module}:{function}")


def test_a_module_that_exits_does_not_end_the_command_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_script.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be imported: SystemExit: 0"):
        load_source("their_script:network")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no_such_module:f", "cannot be imported: ModuleNotFoundError"),
        ("missing.safetensors", "no checkpoint file"),
        ("fashion-mnst", "fashion-mnist"),
    ],
)
def test_sources_that_do_not_exist(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_source(text)
