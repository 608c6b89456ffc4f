"""Speed and memory of a file beside those of others: its twins, other kernels, other files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bdnet import InputError
from bdnet_devices import Contestant, Device, LocalDevice, Ratio, round_medians, take_turns
from bdnet_devices.bench_result import MODEL, run_entry
from bdnet_devices.device import Progress
from bdnet_devices.turns import require_rounds
from bdnet_export.contestants import (
    FP32,
    TWINS,
    contestant,
    require_known,
    write_twins,
)
from bdnet_runtime.benchmark import BenchmarkOptions


@dataclass(frozen=True)
class Setting:
    """How a contestant was run: ONNX Runtime's threads, and images a run (None: the file's)."""

    threads: int = 1
    batch: int | None = None


@dataclass(frozen=True)
class SpeedQuestion:
    """Which file is measured beside which others, and how.

    Args:
        model: an exported file.
        against: any of "fp32", "int8" and "tflite" (the twins, `bdnet_export.twins`),
            "no-library" (the model's operators by their bodies), the name of kernels of the
            library such as "reference", and paths of ``.onnx`` and ``.tflite`` files.
        settings: threads and batches in which everyone is measured.
        options: the rest of how: warm-up, seconds of everyone over all rounds, and whether the
            model is run with the library.
        rounds: turns of everyone.
        images: what the int8 twin is calibrated on, as `load_images` reads it; by default noise.
        twins_folder: where the twins are written and stay; by default they do not stay.
    """

    model: str | os.PathLike[str]
    against: Sequence[str] = ()
    settings: Sequence[Setting] = (Setting(),)
    options: BenchmarkOptions = field(default_factory=BenchmarkOptions)
    rounds: int = 10
    images: str | os.PathLike[str] | None = None
    twins_folder: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class Run:
    """A contestant in a setting.

    Args:
        name: "model" for the file that is compared, otherwise as in ``against``.
        benchmark: the result of ``python -m bdnet_runtime.benchmark``, with a turn for each round.
    """

    name: str
    setting: Setting
    benchmark: dict[str, Any]

    @property
    def ms(self) -> list[float]:
        """The median of each round, milliseconds."""
        return round_medians(self.benchmark)

    @property
    def ms_per_image(self) -> list[float]:
        """The same for one image of the batch."""
        return [ms / int(self.benchmark["batch"]) for ms in self.ms]

    @property
    def model_bytes(self) -> int | None:
        """The memory that the model adds: the process's peak over what its imports take."""
        added: int | None = self.benchmark["memory"]["model_bytes"]
        return added


@dataclass(frozen=True)
class SpeedComparison:
    """What was measured in turn, and the ratios. A ratio is made round by round.

    Args:
        model: the file that is compared.
        runs: of every contestant in every setting; the model's first.
        calibration: the images that the int8 twin was calibrated on, None without that twin.
    """

    model: str
    rounds: int
    runs: tuple[Run, ...]
    calibration: str | None

    def run(self, name: str, setting: Setting) -> Run | None:
        """The run of that contestant in that setting, or None."""
        return next((r for r in self.runs if (r.name, r.setting) == (name, setting)), None)

    def ratio(self, run: Run) -> Ratio:
        """Its time over the model's in the same setting: above 1 the model is faster."""
        model = self.run(MODEL, run.setting)
        assert model is not None
        return Ratio.of(run.ms, model.ms)

    def thread_scaling(self, run: Run) -> Ratio | None:
        """How many times as fast as with the first number of threads; None for that one itself."""
        first = self.run(run.name, replace(run.setting, threads=self.runs[0].setting.threads))
        return None if first is None or first is run else Ratio.of(first.ms, run.ms)

    def batch_scaling(self, run: Run) -> Ratio | None:
        """How many times as fast an image is as in the first batch; None for that one itself."""
        first = self.run(run.name, replace(run.setting, batch=self.runs[0].setting.batch))
        if first is None or first is run:
            return None
        return Ratio.of(first.ms_per_image, run.ms_per_image)

    def scaling_over_fp32(self, run: Run) -> Ratio | None:
        """`thread_scaling` over that of the fp32 twin in the same rounds, where there are both."""
        twin = self.run(FP32, run.setting)
        own, other = self.thread_scaling(run), None if twin is None else self.thread_scaling(twin)
        return None if own is None or other is None else Ratio.of(own.rounds, other.rounds)

    def memory_over_fp32(self, run: Run) -> float | None:
        """The memory it adds over what the fp32 twin adds in the same setting."""
        twin = self.run(FP32, run.setting)
        if twin is None or not run.model_bytes or not twin.model_bytes:
            return None
        return run.model_bytes / twin.model_bytes

    def run_dicts(self) -> list[dict[str, Any]]:
        """The runs for JSON, as docs/results.md describes them."""
        return [
            run_entry(
                run.benchmark,
                run.name,
                ratio=self.ratio(run) if len(self.runs) > 1 else None,
                thread_scaling=self.thread_scaling(run),
                batch_scaling=self.batch_scaling(run),
                scaling_over_fp32=self.scaling_over_fp32(run),
                memory_over_fp32=self.memory_over_fp32(run),
            )
            for run in self.runs
        ]


@dataclass(frozen=True)
class Contest:
    """Who is measured and how, ready to be measured on any device. See `contest`."""

    model: Path
    contestants: tuple[tuple[str, Setting, Contestant], ...]
    rounds: int
    calibration: str | None

    def measure(self, device: Device, progress: Progress | None = None) -> SpeedComparison:
        """Measures everyone on a device, alternately where there are several.

        Raises:
            InputError: one of them cannot be measured.
        """
        rounds = self.rounds
        if len(self.contestants) > 1:
            everyone = [contestant for _, _, contestant in self.contestants]
            results = take_turns(device, everyone, rounds, progress)
        else:
            (_, _, alone) = self.contestants[0]
            rounds, results = 1, [device.benchmark(alone.model, alone.options, progress)]
        runs = (
            Run(name, setting, result)
            for (name, setting, _), result in zip(self.contestants, results, strict=True)
        )
        return SpeedComparison(str(self.model), rounds, tuple(runs), self.calibration)


@contextmanager
def contest(question: SpeedQuestion, progress: Progress | None = None) -> Iterator[Contest]:
    """Makes what is measured: the twins are there while the context lasts.

    Raises:
        InputError: as `compare_speed`, before anything is measured.
    """
    path, against, settings = Path(question.model), question.against, question.settings
    tell = progress or (lambda stage, fraction: None)
    # All that can be wrong with the words is said before the work.
    require_known(against)
    require_rounds(question.rounds)
    ways = {
        setting: replace(question.options, threads=setting.threads, batch=setting.batch)
        for setting in settings
    }
    with _folder(question.twins_folder) as folder:
        calibration = None
        if set(TWINS).intersection(against):
            images = None if question.images is None else Path(question.images)
            batches = [setting.batch for setting in settings]
            calibration = write_twins(path, folder, against, batches, images, tell)
        contestants = tuple(
            (name, setting, contestant(name, path, folder, way))
            for name in dict.fromkeys((MODEL, *against))
            for setting, way in ways.items()
        )
        yield Contest(path, contestants, question.rounds, calibration)


def compare_speed(
    question: SpeedQuestion, device: Device | None = None, progress: Progress | None = None
) -> SpeedComparison:
    """Measures a file beside others, each in a process of its own, all alternately.

    Args:
        device: where; by default this machine.
        progress: called with the stage and the fraction of it that is done.

    Raises:
        InputError: an unknown name, a model without twins or without metadata, images that are not
            there, or anything that cannot be measured.
    """
    with contest(question, progress) as prepared:
        return prepared.measure(device or LocalDevice(), progress)


@contextmanager
def _folder(asked: str | os.PathLike[str] | None) -> Iterator[Path]:
    if asked is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = Path(asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from None
    yield folder
