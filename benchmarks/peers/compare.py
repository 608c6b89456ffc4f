"""bdnet and its peers, in turn, on this machine.

Usage: python benchmarks/peers/compare.py MODEL.onnx, with bdnet's own Python. Every contestant is a
process that loads once; in every round each of them runs a few inferences while the others wait, so
that a slow second of the machine meets all of them. benchmarks/peers/README.md says what they run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "benchmarks" / "peers"
CACHE = ROOT / ".cache" / "peers"
PYTHON = "python3.11"  # the requirements are pinned for this one

OURS = "bdnet"
PEERS = {
    "openvino": ("bdnet", "binary", "int8", "fp32"),
    "larq": ("binary",),
    "litert": ("int8", "fp32"),
    "onnxruntime": ("int8", "fp32", "matmul"),
}
NOT_THE_NETWORK = {"onnxruntime-matmul"}
SETTLE = 0.05  # seconds in which the threads of whoever ran last cease to spin


class UnavailableError(Exception):
    """A contestant that cannot be had here; its text is one sentence that says why."""


@dataclass
class Contestant:
    """A process that answers each line with the milliseconds of its runs.

    Args:
        name: as in the tables.
        command: starts it; anything it says on standard error goes to ``log``.
    """

    name: str
    command: Sequence[str]
    log: Path
    facts: dict[str, str] = field(default_factory=dict)
    rounds: list[list[float]] = field(default_factory=list)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.facts = self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise UnavailableError(f"its process ended early: {last_line(self.log)} ({self.log})")
        return json.loads(line)

    def play(self) -> None:
        assert self.process.stdin is not None
        time.sleep(SETTLE)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.rounds.append(self.answer())

    def stop(self) -> None:
        self.process.communicate()


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def run(command: Sequence[str], log: Path) -> None:
    with log.open("w") as file:
        done = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"'{' '.join(command[:4])} ...' failed: {last_line(log)} ({log})")


def prepare(peer: str) -> tuple[Path, Path]:
    """The Python of the peer's own environment, and the folder of its models.

    Both are made below .cache/peers, when they are missing or were made of something else.
    """
    home, sources = CACHE / peer, SOURCES / peer
    python, models, stamp = home / "venv" / "bin" / "python", home / "models", home / "made_of"
    requirements, build = sources / "requirements.txt", sources / "build.py"
    files = (requirements, build, SOURCES / "mobilenet.py")
    made_of = "".join(file.read_text() for file in files if file.exists())
    if stamp.exists() and stamp.read_text() == made_of:
        return python, models

    print(f"making the environment of {peer} ...", file=sys.stderr, flush=True)
    interpreter = shutil.which(PYTHON)
    if interpreter is None:
        raise UnavailableError(f"there is no {PYTHON} on PATH, for which its packages are pinned")
    shutil.rmtree(home, ignore_errors=True)
    models.mkdir(parents=True)
    log = home / "made.log"
    run([interpreter, "-m", "venv", str(home / "venv")], log)
    run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], log)
    if build.exists():
        run([str(python), "-m", f"benchmarks.peers.{peer}.build", str(models)], log)
    stamp.write_text(made_of)
    return python, models


def play(contestants: Sequence[Contestant], rounds: int) -> dict[str, str]:
    """Lets the contestants, all started, run in turn; why some ended before the end, by name."""
    reasons: dict[str, str] = {}
    for _ in range(rounds):
        for contestant in [one for one in contestants if one.name not in reasons]:
            try:
                contestant.play()
            except UnavailableError as error:
                reasons[contestant.name] = str(error)
    for contestant in contestants:
        contestant.stop()
    return reasons


def result(contestant: Contestant, ours: Contestant) -> dict[str, Any]:
    """What was measured, milliseconds; the ratio is of the medians of the same round."""
    samples = [sample for one in contestant.rounds for sample in one]
    values: dict[str, Any] = {
        "name": contestant.name,
        **contestant.facts,
        "best_ms": min(samples),
        "median_ms": statistics.median(samples),
        "ratio": None,
        "rounds_ms": contestant.rounds,
    }
    if contestant.name not in NOT_THE_NETWORK:
        ratios = [
            statistics.median(theirs) / statistics.median(own)
            for theirs, own in zip(contestant.rounds, ours.rounds, strict=True)
        ]
        values["ratio"] = {
            "median": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
        }
    return values


def show(results: Sequence[dict[str, Any]], reasons: dict[str, str]) -> None:
    print(f"{'':20}{'best ms':>9}{'median ms':>11}   median over {OURS}'s, per round (spread)")
    for values in results:
        ratio = values["ratio"]
        text = (
            f"{ratio['median']:6.3f} ({ratio['lowest']:.3f} to {ratio['highest']:.3f})"
            if ratio
            else "     - (not the network)"
        )
        print(f"{values['name']:20}{values['best_ms']:9.3f}{values['median_ms']:11.3f}   {text}")
    print()
    for values in results:
        print(f"{values['name']}: {values['version']}; {values['settings']}; ran {values['ran']}")
    for name, reason in reasons.items():
        print(f"{name}: not measured: {reason}")


def names(text: str) -> list[str]:
    chosen = text.split(",")
    unknown = [name for name in chosen if name not in PEERS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no peer {unknown[0]!r}; the peers are {', '.join(PEERS)}"
        )
    return chosen


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="bdnet and its peers, in turn, on this machine.")
    parser.add_argument("model", type=Path, help="BDMobileNetV1's exported file, 224 x 224")
    parser.add_argument("--rounds", type=positive, default=10)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument(
        "--only", type=names, default=list(PEERS), help=f"some of {','.join(PEERS)}"
    )
    parser.add_argument("--json", type=Path, help="write all that was measured here")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        parser.error(f"{arguments.model} is not a file; export BDMobileNetV1 first")

    def contestant(name: str, python: str | Path, peer: str, *more: str | Path) -> Contestant:
        module = f"benchmarks.peers.{peer}.serve"
        command = [python, "-m", module, arguments.threads, *more]
        return Contestant(name, [str(part) for part in command], CACHE / f"{name}.log")

    ours = contestant(OURS, sys.executable, OURS, arguments.model.resolve())
    try:
        ours.start()
    except UnavailableError as error:
        sys.exit(f"{OURS}: {error}")
    contestants = [ours]
    reasons: dict[str, str] = {}
    for peer in arguments.only:
        try:
            python, models = prepare(peer)
        except UnavailableError as error:
            reasons[peer] = str(error)
            continue
        for variant in PEERS[peer]:
            theirs = contestant(f"{peer}-{variant}", python, peer, variant, models)
            try:
                theirs.start()
                contestants.append(theirs)
            except UnavailableError as error:
                reasons[theirs.name] = str(error)
    reasons |= play(contestants, arguments.rounds)
    if OURS in reasons:
        sys.exit(f"{OURS}: {reasons[OURS]}")
    results = [result(one, ours) for one in contestants if one.name not in reasons]
    show(results, reasons)
    if arguments.json is not None:
        content = {
            "threads": arguments.threads,
            "cores": os.cpu_count(),
            "results": results,
            "not_measured": reasons,
        }
        arguments.json.write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
