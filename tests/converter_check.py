"""Random networks through the converter: does every region of the file equal PyTorch's?

Usage: python tests/converter_check.py TALLY.jsonl [--count N] [--first SEED]. Goes on where the
tally ends; a line for each network: its seed, how many binary regions and values were compared, how
long it took. A network that differs, or that cannot be exported, is shrunk: steps are left out as
long as it still fails. Its plan is printed, and the run goes on with the next seed; status 1 at the
end.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import bdnet_export
from bdnet import InputError
from bdnet_export.model_file import load_model
from bdnet_export.regions import find_regions
from support.random_modules import Composed, Plan, draw, train


@dataclass(frozen=True)
class Outcome:
    """What one network has shown: ``fault`` is None where all is equal."""

    seed: int
    regions: int
    values: int
    seconds: float
    fault: str | None


def check(plan: Plan, seed: int, *, fuse: bool) -> Outcome:
    """Builds, trains, exports and validates the network of ``plan``."""
    started = time.perf_counter()
    model = train(Composed(plan), plan, seed)
    regions = values = 0
    fault = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        try:
            bdnet_export.export(model, path, input_shape=plan.input_shape, fuse=fuse)
            generator = np.random.default_rng(seed)
            images = generator.standard_normal((3, *plan.input_shape), dtype=np.float32)
            report = bdnet_export.validate_module(path, model, [images])
            proto = load_model(path)
            made = {name for node in proto.graph.node for name in node.output}
            regions = sum(region.is_binary for region in find_regions(proto, made))
            values = report.values_compared
            if not report.passed:
                fault = "; ".join(f"{c.name}: {c.message}" for c in report.checks if not c.passed)
        except InputError as error:
            fault = str(error)
    return Outcome(seed, regions, values, round(time.perf_counter() - started, 1), fault)


def shrink(plan: Plan, seed: int, *, fuse: bool) -> Plan:
    """The plan with every step left out that the fault does not need."""
    index = 0
    while index < len(plan.steps):
        smaller = plan.without(index)
        try:
            fails = check(smaller, seed, fuse=fuse).fault is not None
        except Exception:  # without that step the others do not fit each other
            fails = False
        if fails:
            plan = smaller
        else:
            index += 1
    return plan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tally", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    lines = arguments.tally.read_text().splitlines() if arguments.tally.is_file() else []
    seen = [json.loads(line) for line in lines]
    done = {outcome["seed"] for outcome in seen}
    for seed in range(arguments.first, arguments.first + arguments.count):
        if seed in done:
            continue
        plan, fuse = draw(seed), seed % 2 == 0
        outcome = check(plan, seed, fuse=fuse)
        if outcome.fault is not None:
            print(f"seed {seed}: {outcome.fault}\n{shrink(plan, seed, fuse=fuse)}", flush=True)
        with arguments.tally.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        seen.append(asdict(outcome))
        print(f"{len(seen)} networks, seed {seed}: {outcome.regions} regions", file=sys.stderr)
    failed = [outcome["seed"] for outcome in seen if outcome["fault"] is not None]
    print(
        f"{len(seen)} networks, {sum(o['regions'] for o in seen)} binary regions, "
        f"{sum(o['values'] for o in seen):,} values in {sum(o['seconds'] for o in seen):.0f} s; "
        f"failed: {failed or 'none'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
