"""benchmarks/peers/compare.py with contestants of its own: no peer is installed for it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

COMPARE = Path(__file__).parents[1] / "benchmarks" / "peers" / "compare.py"

CONTESTANT = """
import json, sys
name, milliseconds, lives, turns = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
print(json.dumps({"version": "1", "settings": "none", "ran": name}), flush=True)
for turn, _ in enumerate(sys.stdin):
    if turn == lives:
        sys.exit(f"{name} has had enough")
    with open(turns, "a") as file:
        file.write(name)
    print(json.dumps([milliseconds * (turn + 1)] * 3), flush=True)
"""


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare", COMPARE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compare"] = module  # where dataclasses look up their annotations
    spec.loader.exec_module(module)
    return module


def test_contestants_take_turns_and_one_that_ends_is_left_out(
    compare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = tmp_path / "turns"

    def contestant(name: str, milliseconds: float, lives: int) -> Any:
        command = [sys.executable, "-c", CONTESTANT, name, milliseconds, lives, turns]
        return compare.Contestant(name, [str(part) for part in command], tmp_path / f"{name}.log")

    contestants = [contestant("a", 4.0, 9), contestant("b", 1.0, 9), contestant("c", 1.0, 1)]
    for one in contestants:
        one.start()
    reasons = compare.play(contestants, 3)
    assert turns.read_text() == "abcabab"
    assert list(reasons) == ["c"]
    assert "c has had enough" in reasons["c"]

    ours, theirs = contestants[:2]
    values = compare.result(theirs, ours)
    assert (values["best_ms"], values["median_ms"]) == (1.0, 2.0)
    # Of the same round: each round takes longer than the last, for both alike.
    assert values["ratio"] == {"median": 0.25, "lowest": 0.25, "highest": 0.25}

    compare.show([compare.result(ours, ours), values], reasons)
    printed = capsys.readouterr().out
    assert "0.250 (0.250 to 0.250)" in printed
    assert "c: not measured: its process ended early: c has had enough" in printed
