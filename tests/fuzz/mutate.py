"""Runs mutated models for as long as it is let, and keeps a tally: ``make mutate`` calls it.

    PYTHONPATH=tests python -m fuzz.mutate --mutants 20000

It may be interrupted at any time and goes on where it was: mutant N is always the same one, and
``mutation_tally.json`` says how many have been tried. ``--only N`` tries one again. What is found
stays in ``.cache/mutation``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz.base_models import base_models
from fuzz.campaign import Worker, try_mutants

HERE = Path(__file__).resolve().parent
TALLY = HERE / "mutation_tally.json"
FOUND = HERE.parents[1] / ".cache" / "mutation"
BATCH = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=20_000, help="how many, in all")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--only", type=int, help="try this one and count nothing")
    options = parser.parse_args()
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        models = base_models(Path(temporary))
    if options.only is not None:
        verdict = try_mutants(models, [str(options.only)], FOUND, Worker())
        print(verdict)
        return 1 if verdict.findings else 0

    tally: dict[str, Any] = {
        **dict.fromkeys(("mutants", "seconds", "ran", "compared", "refused", "runtimes_own"), 0),
        "findings": [],
    }
    if TALLY.is_file():
        tally |= json.loads(TALLY.read_text())
    end = time.monotonic() + 60 * options.minutes
    while (first := tally["mutants"]) < options.mutants and time.monotonic() < end:
        names = [str(n) for n in range(first, min(first + BATCH, options.mutants))]
        folder = FOUND / f"{first:07}"
        folder.mkdir(exist_ok=True)
        begun = time.monotonic()
        verdict = try_mutants(models, names, folder, Worker())
        if not verdict.findings:
            folder.rmdir()
        tally["mutants"] += len(names)
        tally["seconds"] = round(tally["seconds"] + time.monotonic() - begun)
        tally["ran"] += verdict.ran
        tally["compared"] += verdict.compared
        tally["refused"] += verdict.refused
        tally["runtimes_own"] += len(verdict.runtimes_own)
        tally["findings"] += [finding.splitlines()[0] for finding in verdict.findings]
        tally["last"] = datetime.date.today().isoformat()
        TALLY.write_text(json.dumps(tally, indent=2) + "\n")
        for text in (*verdict.findings, *verdict.runtimes_own):
            print(text, file=sys.stderr, flush=True)
        print(f"{tally['mutants']:,} mutants, {len(tally['findings'])} findings", flush=True)
    return 1 if tally["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
