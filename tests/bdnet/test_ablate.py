"""The ablation: interrupted or not the same results, pairs that are pairs, right statistics."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from bdnet import InputError, ablate
from bdnet.ablation import comparison, grid, report
from bdnet.ablation.grid import GRID, Run
from bdnet.analysis import experiment, journal
from bdnet.analysis.experiment import Settings
from bdnet.analysis.report_files import PLOT
from support import few_images

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(channels=(4, 8), strides=(2,), images=64, epochs=1, batch_size=32)
OPTIONS = ("--channels", "4,8", "--strides", "2", "--images", "64", "--epochs", "1")
OPTIONS += ("--batch-size", "32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_images.write(tmp_path_factory.mktemp("data"))


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def run_grid(folder: Path, data: Path, seeds: int = 1) -> str:
    shown = console()
    ablate.run(SETTINGS, seeds, folder, data, shown)
    return shown.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def results(folder: Path) -> list[dict[str, Any]]:
    """What came of the runs, without what differs from time to time."""
    lines = (folder / journal.FILE).read_text().splitlines()[1:]
    return [
        {name: value for name, value in json.loads(line).items() if "seconds" not in name}
        for line in lines
    ]


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "results"
    run_grid(folder, data)
    return folder


def test_interrupted_it_ends_with_the_same_results(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, done = grid.train, 0

    def stop(*arguments: Any) -> Run:
        nonlocal done
        if done == 3:
            raise KeyboardInterrupt
        done += 1
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(grid, "train", stop)
        with pytest.raises(KeyboardInterrupt):
            run_grid(tmp_path, data)
    with (tmp_path / journal.FILE).open("a") as file:
        file.write('{"residual": "none", "depthwise": "bin')  # the disk was full
    shown = run_grid(tmp_path, data)
    assert re.findall(r"^(\d+)/12 ", shown, re.MULTILINE) == [str(n) for n in range(4, 13)]
    progress = shown.partition("| depth-wise")[0]
    assert "validation" in progress
    assert "test" not in progress, "test accuracy is for the table, when nothing is left to choose"
    assert results(tmp_path) == results(whole)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["plot.svg", journal.FILE, "table.md"]


def test_other_parameters_are_refused(whole: Path, data: Path) -> None:
    before = (whole / journal.FILE).read_bytes()
    with pytest.raises(InputError, match=r"has results of lr 0.005, this run has 0.5: give the"):
        ablate.run(replace(SETTINGS, lr=0.5), 1, whole, data, console())
    with pytest.raises(InputError, match=r"has results of images 64, this run has 80: give the"):
        ablate.run(replace(SETTINGS, images=80), 1, whole, data, console())
    assert (whole / journal.FILE).read_bytes() == before


def test_other_images_are_refused(whole: Path, data: Path, tmp_path: Path) -> None:
    other = few_images.write(tmp_path)
    labels = other / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
    with pytest.raises(InputError, match="has results of data"):
        ablate.run(SETTINGS, 1, whole, other, console())


def test_a_second_process_is_refused(whole: Path, data: Path, tmp_path: Path) -> None:
    parameters = {"a": 1}
    with (
        journal.continued(tmp_path, "ablation", parameters),
        pytest.raises(InputError, match="another process writes into"),
        journal.continued(tmp_path, "ablation", parameters),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeds", "0"), "--seeds is 0; it must be 1 or more"),
        (("--images", "1000000"), r"--images is 1000000; it must be 1 to 275, the training images"),
        (("--strides", "1,1"), "--channels has 2 numbers and --strides 2; give one number"),
        (("--channels", "0,8"), "--channels and --strides must be positive"),
        (("--lr", "nan"), "--lr is nan; it must be 0 to inf"),
        (("--report",), "there are no results in"),
    ],
)
def test_bad_input_is_one_sentence(
    options: tuple[str, ...],
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["-o", str(tmp_path), "--data", str(data), *OPTIONS, *options]
    assert ablate.main(arguments) == 2
    error = capsys.readouterr().err
    assert re.match(f"error: .*{message}", error), error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [b"no JSON\n", b"no end", b"[1]\n", b"\xff\n", b'{"experiment": "hessian", "format": 1}\n'],
)
def test_a_file_of_something_else_is_refused_and_left(
    content: bytes, data: Path, tmp_path: Path
) -> None:
    (tmp_path / journal.FILE).write_bytes(content)
    with pytest.raises(InputError, match="is not a file of results of ablation"):
        ablate.show(tmp_path, console())
    with pytest.raises(InputError, match="is not a file of results of ablation"):
        run_grid(tmp_path, data)
    assert (tmp_path / journal.FILE).read_bytes() == content


def test_networks_of_one_seed_begin_alike() -> None:
    """What makes differences within a seed a paired comparison."""
    states = [
        experiment.build(SETTINGS, c.residual, c.depthwise, c.pointwise, seed=5).state_dict()
        for c in GRID
    ]
    recipes = [SETTINGS.recipe(c.residual, c.depthwise, c.pointwise, seed=5) for c in GRID]
    for state, recipe in zip(states, recipes, strict=True):
        assert state.keys() == states[0].keys()
        assert all(torch.equal(state[name], states[0][name]) for name in state)
        drawn = torch.randperm(9, generator=recipe.epoch_generator(0))
        assert torch.equal(drawn, torch.randperm(9, generator=recipes[0].epoch_generator(0)))


def planted(seeds: int, noise: float = 0.0) -> list[Run]:
    """Runs whose accuracy is known: 2 points for a residual, 1 more before BN, luck a seed."""
    gain = {"none": 0.0, "post_bn": 0.02, "pre_bn": 0.03}
    runs = []
    for cell, seed in grid.plan(seeds):
        accuracy = 0.7 + 0.05 * (seed % 3) + gain[cell.residual]
        accuracy += 0.004 * (cell.pointwise == "ternary")
        accuracy += noise * seed * (cell.residual == "pre_bn")
        runs.append(Run(cell, seed, 1.0, accuracy, accuracy, 1.0, 1.0, "2"))
    return runs


def test_comparisons_find_what_was_planted_whatever_the_seeds_luck() -> None:
    found = {c.name: c for c in comparison.comparisons(planted(5))}
    expected = {
        "pre-BN - none": 0.03,
        "post-BN - none": 0.02,
        "pre-BN - post-BN": 0.01,
        "depth-wise ternary - binary": 0.0,
        "point-wise ternary - binary": 0.004,
    }
    assert found.keys() == expected.keys()
    for name, difference in expected.items():
        assert found[name].differences == pytest.approx([difference] * 5)
        assert found[name].half_width(0.99) == pytest.approx(0, abs=1e-12)


def test_an_interval_is_students() -> None:
    """Differences 1, 2, 3, 4 points: mean 2.5, deviation 1.29, t of 3 degrees 3.182."""
    differences = comparison.Comparison("a - b", (0.01, 0.02, 0.03, 0.04))
    assert differences.mean == pytest.approx(0.025)
    assert differences.half_width(0.95) == pytest.approx(3.1824 * 0.0129099 / 2, rel=1e-4)
    assert comparison.Comparison("a - b", (0.01,)).half_width(0.95) == math.inf


@pytest.mark.parametrize(
    ("confidence", "freedom", "t"),
    [
        (0.95, 1, 12.7062),
        (0.95, 2, 4.30265),
        (0.95, 4, 2.77645),
        (0.99, 4, 4.60409),
        (0.99, 9, 3.24984),
        (0.95, 30, 2.04227),
        (0.95, 10**4, 1.96020),
    ],
)
def test_students_t_is_that_of_printed_tables(confidence: float, freedom: int, t: float) -> None:
    assert comparison.student_t(confidence, freedom) == pytest.approx(t, rel=1e-5)


def test_a_seed_that_is_not_finished_is_left_out(tmp_path: Path) -> None:
    runs = planted(3)
    assert comparison.whole_seeds(runs[:-1]) == planted(2)
    text = report.write(tmp_path, runs[:-1])
    assert text == report.table(planted(2))
    assert "| binary | binary | none | 2 | 72.50 ± 3.54 | 72.50 ± 3.54 |" in text
    with pytest.raises(InputError, match=r"no seed in .* is finished"):
        report.write(tmp_path, runs[:11])


def test_the_same_results_give_the_same_plot(tmp_path: Path) -> None:
    report.write(tmp_path, planted(2, noise=0.01))
    first = (tmp_path / PLOT).read_bytes()
    report.write(tmp_path, planted(2, noise=0.01))
    assert (tmp_path / PLOT).read_bytes() == first
    assert b"post-BN" in first
