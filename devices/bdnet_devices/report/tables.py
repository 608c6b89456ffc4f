"""The rows of a report, for people (page, Markdown) and for programs (CSV)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from bdnet_devices.report.parity import verdict
from bdnet_devices.report.results import MODEL, Result, Run, Spread

EMULATED = "emulated"
VERSIONS = ("bdnet", "onnxruntime", "numpy", "python")


def milliseconds(value: float) -> str:
    """Three or four digits that matter, without the unit."""
    return f"{value:.{3 if value < 10 else 2 if value < 100 else 1}f}"


def megabytes(count: int | None) -> str:
    """Of 10^6 bytes; empty where it is not known."""
    return "" if count is None else f"{count / 1e6:,.{2 if count < 1e8 else 0}f} MB"


def spread(ratio: Spread | None) -> str:
    return "" if ratio is None else f"{ratio.median:.2f} ({ratio.lowest:.2f}–{ratio.highest:.2f})"


def markers(result: Result) -> list[tuple[str, str]]:
    """What must not be overlooked: a word, and the sentence that explains it."""
    found = []
    if result.emulated:
        found.append(
            (
                EMULATED,
                "This device is emulated: its times say nothing of a board, and none is shown.",
            )
        )
    if result.conditions.throttled:
        found.append(
            (
                "throttled",
                f"The clock was limited meanwhile ({', '.join(result.conditions.throttled)}): at "
                "its full clock the device would have been faster.",
            )
        )
    if result.conditions.clock_jump_ms is not None:
        found.append(
            (
                "clock jumped",
                f"The wall clock jumped by {result.conditions.clock_jump_ms:+,.0f} ms meanwhile: "
                "the device or its clock was interrupted; do not trust the time of day.",
            )
        )
    if any(run.profiled for run in result.runs):
        found.append(
            ("profiled", "ONNX Runtime's profiler was on, which makes every time somewhat longer.")
        )
    return found


def summary(results: Sequence[Result]) -> dict[str, list[list[str]]]:
    """Columns by their heading; in each a list of cells for each result, a cell for each run.

    Columns that would be empty are left out.
    """

    def column(result: Result, heading: str) -> list[str]:
        return [_cells(result, run)[heading] for run in result.runs]

    headings = list(_cells(results[0], results[0].runs[0]))
    columns = {heading: [column(result, heading) for result in results] for heading in headings}
    return {name: cells for name, cells in columns.items() if any(any(c) for c in cells)}


def _cells(result: Result, run: Run) -> dict[str, str]:
    """What is measured under emulation is told as a word in its place."""

    def measured(text: str) -> str:
        return EMULATED if result.emulated and text else text

    return {
        "contestant": result.name_of(run),
        "engine": run.engine,
        "ISA": run.isa or "–",
        "threads": str(run.threads),
        "batch": str(run.batch),
        **{
            f"{name}, ms": measured(milliseconds(run.latency_ms[name]))
            for name in ("p50", "p90", "p99")
        },
        "time / model’s": "" if run.name == MODEL else measured(spread(run.ratio)),
        "by threads": measured(spread(run.thread_scaling)),
        "by batch": measured(spread(run.batch_scaling)),
        "model memory": measured(megabytes(run.model_bytes)),
    }


def write_markdown(results: Sequence[Result]) -> str:
    """One table of all runs, and below it what must not be overlooked."""
    columns = summary(results)
    headings = ["model", "device", "processor", *columns, "parity", "notes"]
    lines = [_line(headings), "|" + "---|" * len(headings)]
    for number, result in enumerate(results):
        notes = ", ".join(word for word, _ in markers(result))
        about = [result.model_name, result.device, result.processor]
        for place in range(len(result.runs)):
            cells = [column[number][place] for column in columns.values()]
            parity = verdict(result.parity) if result.runs[place].name == MODEL else ""
            lines.append(_line([*about, *cells, parity, notes]))
    lines.append("")
    for result in results:
        where = f"{result.model_name} on {result.device}"
        if result.command is not None:
            lines.append(f"- {where}: measured by {_code(result.command)}")
        lines += [f"- {where}: {_escaped(sentence)}" for _, sentence in markers(result)]
        if result.parity is not None:
            lines.append(f"- {where}: {_escaped(result.parity.found)}.")
    if "time / model’s" in columns:
        lines.append("- Ratios are medians of the rounds' ratios, with the least and greatest.")
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _code(text: str) -> str:
    """A span of code on one line, whatever is in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    blank = " " if len(fence) > 1 else ""
    return f"{fence}{blank}{' '.join(text.splitlines())}{blank}{fence}"


def write_csv(results: Sequence[Result]) -> str:
    """A line for each run, with stable names of columns; milliseconds, bytes, plain numbers."""
    rows = [_record(result, run) for result in results for run in result.runs]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _record(result: Result, run: Run) -> dict[str, object]:
    def measured(value: object) -> object:
        return EMULATED if result.emulated and value is not None else value

    conditions = result.conditions
    parity = result.parity if run.name == MODEL else None
    ratios = {
        f"{name}_{part}": None if ratio is None else measured(getattr(ratio, part))
        for name, ratio in (
            ("ratio", run.ratio),
            ("thread_scaling", run.thread_scaling),
            ("batch_scaling", run.batch_scaling),
        )
        for part in ("median", "lowest", "highest")
    }
    return {
        "file": result.file,
        "command": result.command,
        "model": result.model_name,
        "model_sha256": run.file["sha256"],
        "device": result.device,
        "host": result.address,
        "processor": result.processor,
        "contestant": run.name,
        "engine": run.engine,
        "isa": run.isa,
        "threads": run.threads,
        "batch": run.batch,
        **{f"{name}_ms": measured(value) for name, value in run.latency_ms.items()},
        "samples": len(run.samples_ms),
        "rounds": result.rounds,
        **ratios,
        "load_ms": measured(run.load_ms),
        "first_run_ms": measured(run.first_run_ms),
        "images_per_second": measured(run.images_per_second),
        "model_bytes": measured(run.model_bytes),
        "parity": verdict(parity) if run.name == MODEL else None,
        "values_compared": None if parity is None else parity.values_compared,
        "values_different": None if parity is None else parity.values_different,
        "emulated": result.emulated,
        "throttled": ", ".join(conditions.throttled),
        "clock_jump_ms": conditions.clock_jump_ms,
        "profiled": run.profiled,
        "governor": conditions.governor,
        "hottest_c": conditions.hottest_c,
        "started": run.started,
        **{f"version_{name}": run.versions.get(name) for name in VERSIONS},
    }
