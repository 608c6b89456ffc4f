"""Writes as Markdown what ``bdnet-export bench --json`` measured: a file, or one against its base.

Usage: python change.py BENCH.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Benchmark = dict[str, Any]


def megabytes(benchmark: Benchmark) -> str:
    return f"{benchmark['model']['bytes'] / 1e6:.3f} MB"


def milliseconds(benchmark: Benchmark) -> str:
    return f"{benchmark['latency_ms']['p50']:.3f} ms"


def change(result: dict[str, Any]) -> str:
    """The table; with a base, the file is what was measured against it."""
    base, *others = (run["benchmark"] for run in result["runs"])
    threads = base["threads"]
    where = f"{base['host']['cpu']}, {threads} thread{'s' if threads > 1 else ''}"
    if not others:
        return (
            f"### bdnet\n\n| | {where} |\n|---|---|\n| file | {megabytes(base)} |\n"
            f"| latency, median | {milliseconds(base)} |\n"
        )
    (file,) = others
    ratio = result["runs"][1]["ratio"]
    more = file["model"]["bytes"] / base["model"]["bytes"] - 1
    return (
        "### bdnet\n\n"
        "| | base | this change | change |\n|---|---|---|---|\n"
        f"| file | {megabytes(base)} | {megabytes(file)} | {more:+.1%} |\n"
        f"| latency, median | {milliseconds(base)} | {milliseconds(file)} "
        f"| × {ratio['median']:.2f} ({ratio['lowest']:.2f}–{ratio['highest']:.2f}) |\n\n"
        f"Measured in turn on {where}; the ratio is the median of {result['rounds']} rounds, "
        "with the least and the greatest.\n"
    )


if __name__ == "__main__":
    print(change(json.loads(Path(sys.argv[1]).read_text())), end="")
