"""Mutated models through ONNX Runtime, with the library and without, and what is wrong with that.

A finding is a process that ends while the library runs a model which standard operators survive,
a refusal that is not one sentence, or an answer that differs from that of the standard operators.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzz.mutations import mutate

WORKER = Path(__file__).with_name("mutation_worker.py")
TOLERANCE = 1e-5  # of the largest value: float layers behind the last sign, see docs/numerics.md


@dataclass
class Verdict:
    """Of some mutants: how many ran, were refused or brought ONNX Runtime down by itself."""

    ran: int = 0
    compared: int = 0
    refused: int = 0
    runtimes_own: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Worker:
    """How the models are run: the Python to call, and what its environment has besides."""

    command: Sequence[str] = (sys.executable,)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, mode: str, folder: Path, count: int) -> dict[int, str]:
        """What came of each model of ``folder``: the worker's words, or how it ended."""
        results: dict[int, str] = {}
        first = 0
        while first < count:
            done = subprocess.run(
                [*self.command, str(WORKER), mode, str(folder), str(first), str(count - first)],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            begun = -1
            for line in done.stdout.splitlines():
                word, _, rest = line.partition(" ")
                index, _, what = rest.partition(" ")
                if word == "begin" and index.isdecimal():
                    begun = int(index)
                elif word == "end" and index == str(begun):
                    results[begun] = what
            if begun < 0:
                raise RuntimeError(f"the worker does not start: {done.stderr[-2000:]}")
            if begun not in results:
                results[begun] = _ending(done.returncode, done.stderr)
            first = begun + 1
        return results


def _ending(code: int, said: str) -> str:
    """What came of a model that ended the worker."""
    # Where memory cannot be had an exception is thrown, but AddressSanitizer ends the process.
    if re.search("SUMMARY: AddressSanitizer: (out-of-memory|allocation-size-too-big)", said):
        return "refused"
    how = signal.Signals(-code).name if code < 0 else f"status {code}"
    return f"ended by {how}: {said[-1500:]}"


def try_mutants(
    models: dict[str, bytes], names: Sequence[str], folder: Path, worker: Worker
) -> Verdict:
    """Makes the mutant of each name, tries it, and leaves those with findings in ``folder``.

    Args:
        models: sound models by name.
        names: seeds; each makes one mutant of one of the models, always the same.
    """
    sources = sorted(models)
    mutants = {}
    for name in names:
        random = Random(name)
        mutants[name] = mutate(models[random.choice(sources)], random)
    return try_models(mutants, folder, worker)


def try_models(models: dict[str, tuple[bytes, bool]], folder: Path, worker: Worker) -> Verdict:
    """Tries models, each with whether it has one right answer; leaves those with findings."""
    for index, (data, _) in enumerate(models.values()):
        (folder / f"{index:05}.onnx").write_bytes(data)
    ours = worker.run("library", folder, len(models))
    bare = worker.run("standard", folder, len(models))
    verdict = Verdict()
    for index, (name, (_, has_answer)) in enumerate(models.items()):
        with_library, without = ours[index], bare[index]
        stem = folder / f"{index:05}"
        found = None
        if with_library == "ran":
            verdict.ran += 1
            if without == "ran" and has_answer:
                verdict.compared += 1
                found = _difference(stem)
        elif with_library == "refused":
            verdict.refused += 1
        elif with_library.startswith("ended") and without.startswith("ended"):
            verdict.runtimes_own.append(f"{name}: {without}")
        else:
            found = with_library
        if found is not None:
            verdict.findings.append(f"{name} ({stem}.onnx): {found}")
        for path in folder.glob(f"{stem.name}.*"):
            if found is None:
                path.unlink()
    return verdict


def _difference(stem: Path) -> str | None:
    """What differs between the outputs with the library and without, if anything does."""
    ours, bare = (_arrays(stem.with_suffix(f".{mode}.npz")) for mode in ("library", "standard"))
    if len(ours) != len(bare):
        return f"{len(ours)} outputs with the library, {len(bare)} without"
    for index, (got, expected) in enumerate(zip(ours, bare, strict=True)):
        if got.shape != expected.shape or got.dtype != expected.dtype:
            return f"output {index}: {got.dtype} {got.shape}, expected {expected.shape}"
        if not _equal(got, expected):
            return f"output {index} differs"
    return None


def _arrays(path: Path) -> list[npt.NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in arrays.files]


def _equal(got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    if expected.dtype.kind != "f":
        return bool(np.array_equal(got, expected))
    finite = np.isfinite(expected)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return False
    largest = np.abs(expected[finite]).max(initial=0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((np.abs(got[finite] - expected[finite]) <= TOLERANCE * largest).all())
