"""docs/method.md shows what the committed results and commands say."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import bdnet
from bdnet import zoo
from bdnet.ablation import report
from bdnet.ablation.comparison import whole_seeds
from bdnet.ablation.grid import Run
from bdnet.analysis import accountings, hessian_report, journal

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "method.md").read_text(encoding="utf-8")


def ablation_table(entries: list[dict[str, Any]]) -> str:
    return report.table(whole_seeds([Run.from_dict(entry) for entry in entries]))


def hessian_table(entries: list[dict[str, Any]]) -> str:
    return hessian_report.table(hessian_report.points_of_whole_seeds(entries))


TABLES = {"ablation": ablation_table, "hessian": hessian_table}


@pytest.mark.parametrize(
    "folder",
    sorted(each.parent for each in DOCS.glob("method/*/results.jsonl")),
    ids=lambda f: f.name,
)
def test_tables_and_plots_are_of_their_results_and_shown(folder: Path) -> None:
    results = journal.read(folder / journal.FILE, folder.name)
    table = (folder / "table.md").read_text(encoding="utf-8")
    assert table == TABLES[folder.name](results.entries)
    assert ElementTree.parse(folder / "plot.svg").getroot().tag.endswith("svg")
    for name in ("table.md", "plot.svg"):
        assert f"](method/{folder.name}/{name})" in PAGE


def test_the_accountings_are_the_commands() -> None:
    assert accountings.table() in PAGE


def test_accountings_are_sums_of_the_networks_layers() -> None:
    """With the additions of MobileNet V1's units counted by hand: depth-wise outputs, and all."""
    ops = [round(accounting.ops()) for accounting in accountings.ACCOUNTINGS]
    stem, classifier = 10_838_016, 1_024_000
    depthwise, pointwise = 17_385_984, 539_492_352
    once = stem + classifier + (depthwise + pointwise) // 64
    assert ops[0] == once
    assert ops[1] == once + depthwise // 64
    assert ops[4] == once + (depthwise + pointwise) // 64
    assert ops[5] - ops[4] == depthwise // 9
    assert ops[7] - ops[4] == ops[2] - ops[1]
    assert ops[8] - ops[7] == ops[6] - ops[5] == ops[3] - ops[2]
    assert min(abs(each - accountings.PUBLISHED) for each in ops) == abs(ops[6] - 33e6)


def test_the_shipped_network_is_told_as_it_is() -> None:
    metadata = bdnet.read_metadata(zoo.checkpoint_path("fashion-mnist"))
    assert metadata.training is not None
    assert f"{100 * metadata.training['test_accuracy']:.2f} %" in PAGE
    assert f"{100 * metadata.training['validation_accuracy']:.2f} %" in PAGE
