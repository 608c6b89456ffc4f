"""Fuzzes the targets in turn and keeps a tally: ``make fuzz`` builds them and calls it.

    PYTHONPATH=tests python -m fuzz.run --executions 10000000

It may be interrupted at any time and goes on where it was: each target's corpus grows in
``.cache/fuzz/corpus``, and ``tally.json`` counts executions whenever a slice of them is done. An
input that ends a target is a finding: it stays in ``.cache/fuzz/findings``, the tally counts it,
and that target is left alone until it is mended; then ``findings/TARGET.txt`` keeps the input.
``--keep`` writes the corpus, reduced to what reaches something of its own, into ``corpus/``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz import targets

TALLY = targets.HERE / "tally.json"
WORK = targets.BUILD / "corpus"
FOUND = targets.BUILD / "findings"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=10_000_000, help="of each target, in all")
    parser.add_argument("--targets", nargs="+", default=targets.names(), choices=targets.names())
    parser.add_argument("--slice", type=int, default=50_000, help="executions between two records")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--keep", action="store_true", help="only write the reduced corpus")
    options = parser.parse_args()
    if options.keep:
        for name in options.targets:
            keep(name)
        return 0
    end = time.monotonic() + 60 * options.minutes
    waiting = list(options.targets)
    while waiting and time.monotonic() < end:  # a slice of each in turn, so that none is left out
        waiting = [name for name in waiting if advance(name, options.executions, options.slice)]
    return 1 if any(record["findings"] for record in read_tally().values()) else 0


def read_tally() -> dict[str, dict[str, Any]]:
    tally: dict[str, dict[str, Any]] = json.loads(TALLY.read_text()) if TALLY.is_file() else {}
    return tally


def advance(name: str, executions: int, slice_size: int) -> bool:
    """Runs one slice of a target; whether there is another to come."""
    tally = read_tally()
    record = tally.setdefault(
        name, {"executions": 0, "seconds": 0, "inputs": 0, "covered": 0, "findings": 0}
    )
    left = executions - record["executions"]
    if left <= 0:
        return False
    corpus = WORK / name
    if not corpus.is_dir():
        targets.unpack(targets.read_inputs(targets.CORPUS / f"{name}.txt"), corpus)
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    done = targets.run(
        name,
        f"-runs={min(left, slice_size)}",
        "-print_final_stats=1",
        "-print_funcs=0",
        "-timeout=20",
        f"-artifact_prefix={found}/",
        corpus,
        folder=found,
    )
    ran = [int(number) for number in re.findall(r"number_of_executed_units: (\d+)", done.stdout)]
    covered = [int(number) for number in re.findall(r"^#.* cov: (\d+)", done.stdout, re.MULTILINE)]
    record["executions"] += sum(ran)
    record["seconds"] = round(record["seconds"] + time.monotonic() - begun)
    record["inputs"] = sum(1 for _ in corpus.iterdir())
    record["covered"] = max([record["covered"], *covered])
    record["findings"] += done.returncode != 0
    record["last"] = datetime.date.today().isoformat()
    TALLY.write_text(json.dumps(dict(sorted(tally.items())), indent=2) + "\n")
    print(f"{name}: {record['executions']:,} executions, {record['findings']} findings", flush=True)
    if done.returncode != 0:
        (found / "last.log").write_text(done.stdout)
        print(f"{name}: a finding, see {found}", file=sys.stderr, flush=True)
    return done.returncode == 0 and ran != []


def keep(name: str) -> None:
    """Reduces a target's corpus to inputs that each reach something of their own, and writes it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reduced = folder / "reduced"
        reduced.mkdir()
        done = targets.run(name, "-merge=1", reduced, WORK / name, folder=folder)
        if done.returncode != 0:
            raise SystemExit(f"{name}: the corpus could not be reduced: {done.stdout[-2000:]}")
        inputs = [path.read_bytes() for path in sorted(reduced.iterdir())]
    targets.write_inputs(targets.CORPUS / f"{name}.txt", inputs)
    print(f"{name}: {len(inputs)} inputs kept")
    shutil.rmtree(WORK / name)
    targets.unpack(inputs, WORK / name)


if __name__ == "__main__":
    sys.exit(main())
