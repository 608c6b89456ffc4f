"""The command that estimates curvature in training: points of a training that is not disturbed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console

from bdnet.analysis import experiment, hessian, journal, trajectory
from bdnet.analysis.experiment import RESIDUALS, Settings
from bdnet.data import fashion_mnist
from bdnet.training import loop
from support import few_images

SETTINGS = Settings(channels=(4, 8), strides=(2,), images=96, epochs=2, batch_size=32)
OPTIONS = ["--channels", "4,8", "--strides", "2", "--images", "96", "--epochs", "2"]
OPTIONS += ["--batch-size", "32", "--steps", "4", "--probes", "2", "--batches", "2"]
OPTIONS += ["--points", "0,0.5,1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_images.write(tmp_path_factory.mktemp("data"))


def test_points_are_those_of_an_undisturbed_training(data: Path, tmp_path: Path) -> None:
    images = experiment.read_data(data, SETTINGS.images)
    which = ("pre_bn", "ternary", "binary", 1)
    _, (first, middle, last) = trajectory.train(SETTINGS, *which, images, [0, 3, 6])
    model = experiment.build(SETTINGS, *which)
    for name, tensor in model.state_dict().items():
        assert torch.equal(first[name], tensor), name
    loop.train(
        model,
        SETTINGS.recipe(*which),
        images.training,
        images.validation,
        fashion_mnist.PREPROCESSING,
        tmp_path / "resume",
        Console(quiet=True),
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(last[name], tensor), name
    assert middle["stem.bn.num_batches_tracked"] == 3
    assert not torch.equal(middle["stem.conv.weight"], last["stem.conv.weight"])


def test_the_command_continues_and_more_seeds_can_be_added(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-o", str(tmp_path), "--data", str(data), *OPTIONS]
    assert hessian.main([*arguments, "--seeds", "1"]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"^(\d)/3 ", shown, re.MULTILINE) == ["1", "2", "3"]
    assert "| 6 | pre-BN | 1 |" in shown
    first = (tmp_path / journal.FILE).read_text()
    assert hessian.main([*arguments, "--seeds", "2"]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"^(\d)/6 ", shown, re.MULTILINE) == ["4", "5", "6"]
    second = (tmp_path / journal.FILE).read_text()
    assert second.startswith(first)
    assert (tmp_path / "table.md").read_text().strip() == shown[shown.index("| steps") :].strip()

    entries = [json.loads(line) for line in second.splitlines()[1:]]
    assert {(e["residual"], e["seed"]) for e in entries} == {
        (residual, seed) for residual in RESIDUALS for seed in (0, 1)
    }
    for entry in entries:
        assert [point["step"] for point in entry["points"]] == [0, 3, 6]
        for point in entry["points"]:
            assert point["ritz"] == sorted(point["ritz"])
            assert 0 < point["bulk_rms"] <= max(map(abs, point["ritz"]))

    assert hessian.main([*arguments, "--seeds", "2", "--steps", "5"]) == 2
    assert "has results of steps 4, this run has 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--points", "0,2"], r"--points is \[0.0, 2.0\]; they must be 0 to 1"),
        (["--steps", "0"], "--batches, --steps and --probes must be 1 or more"),
        (["--batches", "9"], "--batches 9 of 32 images are more than the 96 training images"),
    ],
)
def test_bad_input_is_one_sentence(
    options: list[str],
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["-o", str(tmp_path), "--data", str(data), *OPTIONS, *options]
    assert hessian.main(arguments) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(f"error: {message}\n", error), error
