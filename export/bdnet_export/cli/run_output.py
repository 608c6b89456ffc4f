"""How run shows what became of a matrix."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bdnet_export.cli.bench_output import EMULATED
from bdnet_export.cli.main import BAD_INPUT
from bdnet_export.cli.output import Output, duration, milliseconds, table

if TYPE_CHECKING:
    from bdnet_devices.report import Result
    from bdnet_export.matrix import Matrix, Outcome

CHECK_FAILED = 1
SCHEMA = 1


def show_outcomes(out: Output, matrix: "Matrix", outcomes: "Sequence[Outcome]") -> int:
    """A table of all cells, and what to do next. Returns the exit status."""
    out.table(_table(outcomes))
    wrong = 0
    for one in outcomes:
        sentence = _trouble(one)
        if sentence is not None:
            out.failure(f"{one.cell.label} on {one.cell.device}: {sentence}")
            wrong = max(wrong, CHECK_FAILED if one.sentence is None else BAD_INPUT)
    counts = Counter(one.state for one in outcomes)
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    measured = sum(one.result is not None for one in outcomes)
    if measured < len(outcomes):
        out.failure(
            f"{measured} of {len(outcomes)} cells are measured ({said}); run the same command "
            "again for the others"
        )
    else:
        out.success(f"{measured} of {len(outcomes)} cells are measured ({said})")
    if measured:
        out.line(f"For a page of them: bdnet-export report {matrix.results} -o report.html")
    cells = {one.cell.file for one in outcomes}
    others = [file.name for file in sorted(matrix.results.glob("*.json")) if file not in cells]
    if others:
        out.line(
            f"Also in {matrix.results}, and on such a page, of another matrix or from before a "
            f"model or an option was changed: {', '.join(others)}"
        )
    return wrong


def run_json(matrix: "Matrix", outcomes: "Sequence[Outcome]") -> dict[str, Any]:
    """For --json: docs/results.md describes it."""
    return {
        "schema": SCHEMA,
        "kind": "run",
        "config": str(matrix.path),
        "results": str(matrix.results),
        "cells": [
            {
                "model": str(one.cell.model),
                "device": one.cell.device,
                "threads": one.cell.threads,
                "batch": one.cell.batch,
                "state": one.state,
                "seconds": one.seconds,
                "sentence": one.sentence,
                "file": None if one.result is None else one.cell.file.name,
                "passed": _parity_passed(one),
            }
            for one in outcomes
        ],
    }


def _table(outcomes: "Sequence[Outcome]") -> Any:
    from bdnet_devices.report.parity import verdict

    right = ("threads", "batch", "took", "p50")
    shown = table("model", "device", "threads", "batch", "", "took", "p50", "verified", right=right)
    for one in outcomes:
        cell, result = one.cell, one.result
        emulated = result is not None and result.emulated
        shown.add_row(
            cell.model.name,
            cell.device,
            str(cell.threads),
            "" if cell.batch is None else str(cell.batch),
            one.state,
            "" if one.seconds is None or emulated else duration(one.seconds),
            "" if result is None else _median(result),
            "" if result is None else verdict(result.parity),
        )
    return shown


def _median(result: "Result") -> str:
    """The model's, and what speaks against it."""
    if result.emulated:
        return EMULATED
    doubts = {
        "throttled": bool(result.conditions.throttled),
        "clock set": result.conditions.clock_jump_ms is not None,
    }
    marks = ", ".join(name for name, doubt in doubts.items() if doubt)
    return milliseconds(result.runs[0].latency_ms["p50"]) + (f" ({marks})" if marks else "")


def _trouble(one: "Outcome") -> str | None:
    """Why it failed, or how it differs; None for neither."""
    if one.sentence is not None:
        return one.sentence.removeprefix(f"{one.cell.device}: ")
    parity = None if one.result is None else one.result.parity
    return None if parity is None or parity.passed else parity.found


def _parity_passed(one: "Outcome") -> bool | None:
    parity = None if one.result is None else one.result.parity
    return None if parity is None else parity.passed
