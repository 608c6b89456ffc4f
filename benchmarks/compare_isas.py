"""One model with each choice of kernels, in turn, on this machine.

Usage: python benchmarks/compare_isas.py MODEL.onnx [ROUNDS]. Each choice has a process of its own
(the library chooses when it is loaded); in every round each of them runs the model a few times
while the others wait, so that a slow second of the machine meets all of them. Prints
milliseconds of the whole ``session.run`` with one thread.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

import bdnet_runtime
from bdnet_runtime.model_input import model_input

BODIES = "no library"
CHOICES = ("avx2", "reference", BODIES)
WARMUP = 3
RUNS = 5


def serve(model: str, choice: str) -> None:
    """Runs the model RUNS times for each line of standard input; prints the milliseconds."""
    session = bdnet_runtime.create_session(model, use_library=choice != BODIES)
    image = model_input(session)
    feed = {image.name: image.random()}
    for _ in range(WARMUP):
        session.run(None, feed)
    print(flush=True)
    for _ in sys.stdin:
        samples = []
        for _ in range(RUNS):
            start = time.perf_counter()
            session.run(None, feed)
            samples.append((time.perf_counter() - start) * 1e3)
        print(json.dumps(samples), flush=True)


def start(model: str, choice: str) -> subprocess.Popen[str]:
    variables = {name: value for name, value in os.environ.items() if name != "BDNET_ISA"}
    if choice != BODIES:
        variables["BDNET_ISA"] = choice
    command = [sys.executable, __file__, model, "--serve", choice]
    return subprocess.Popen(
        command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"a process ended early: {process.args}")
    return line


def main(model: str, rounds: int) -> None:
    processes = {choice: start(model, choice) for choice in CHOICES}
    samples: dict[str, list[float]] = {choice: [] for choice in CHOICES}
    for process in processes.values():
        answer(process)  # warm
    for _ in range(rounds):
        for choice, process in processes.items():
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            samples[choice] += json.loads(answer(process))
    for process in processes.values():
        process.communicate()
    best = min(samples[CHOICES[0]])
    for choice, values in samples.items():
        print(
            f"{choice:10}  best {min(values):7.2f}  median {statistics.median(values):7.2f}"
            f"  best over {CHOICES[0]}'s {min(values) / best:5.2f}"
        )


if __name__ == "__main__":
    if sys.argv[2:3] == ["--serve"]:
        serve(sys.argv[1], sys.argv[3])
    else:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10)
