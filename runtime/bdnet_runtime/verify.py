"""Compares a model with a reference in this process: ``python -m bdnet_runtime.verify``.

Writes JSON lines to standard output, as `bdnet_runtime.benchmark` does; the last is ``{"event":
"result", "schema": 1, ...}`` with:

- ``passed``: every value is equal and every logit within its tolerance
- ``images``; ``values``, ``different``: of all layers compared
- ``layers``: in the order of the network, each with ``name``, ``values``, ``different``,
  ``first_image`` and ``first`` (where it differs first, in words), null where it does not
- ``first_difference``: the first layer that differs, or null; ``failing_image``: its first image
- ``logits``: ``worst`` (error over the image's largest logit), ``tolerance``, ``wrong_images``,
  ``other_class`` (how many images have another top class)
- ``top1``: the class of the largest logit of each image
- ``threads``, ``use_library``, ``isa``, ``versions``, ``host``: as of a benchmark

Of a module that is compared region by region (`bdnet_runtime.region_reference`), ``layers`` are
what leaves each region, those of float regions with an ``error`` and a ``tolerance``, which
``values`` and ``different`` leave out; ``logits`` is null and ``top1`` empty.

Exit status: 0, also where values differ, or 2 with one sentence on standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bdnet_runtime.errors import InputError
from bdnet_runtime.events import Parser, Progress, ProgressWriter, run_main, write_event
from bdnet_runtime.host import describe_host
from bdnet_runtime.info import info, versions
from bdnet_runtime.module_command import module_command
from bdnet_runtime.region_reference import SavedRegions
from bdnet_runtime.session import create_session, reason, require_threads
from bdnet_runtime.verification import (
    Reference,
    Tally,
    fill_batch,
    layer_report,
    require_shapes,
)
from bdnet_runtime.verify_regions import verify_regions

SCHEMA = 1
BATCH = 4  # images at a time, where the file leaves it open: a board has little memory


@dataclass(frozen=True)
class VerifyOptions:
    """How to run the model. Raises `InputError` for a value out of range."""

    threads: int = 1
    use_library: bool = True

    def __post_init__(self) -> None:
        require_threads(self.threads)

    def command(self, python: str | Sequence[str], model: str, reference: str) -> list[str]:
        """The command that compares ``model`` so, wherever ``python`` has bdnet_runtime."""
        return [
            *module_command(python, "verify"),
            *("--threads", str(self.threads)),
            *(() if self.use_library else ("--no-library",)),
            *("--", model, reference),
        ]


def verify(
    model: Path, reference_file: Path, options: VerifyOptions, progress: Progress
) -> dict[str, Any]:
    """Compares; the module says what the result holds.

    Args:
        model: its outputs are the logits and, by name, every value of the reference; or a cut file.

    Raises:
        InputError: the model or the reference cannot be read, or they do not fit together.
    """
    reference = SavedRegions.open(reference_file) or Reference.load(reference_file)
    progress("loading the model", 0.0)
    session = create_session(model, options.threads, options.use_library)
    if isinstance(reference, SavedRegions):
        found = verify_regions(session, reference, progress)
    else:
        found = _verify_network(model, session, reference, progress)
    return {
        "event": "result",
        "schema": SCHEMA,
        **found,
        "threads": options.threads,
        "use_library": options.use_library,
        "isa": info()["isa"] if options.use_library else None,
        "versions": versions(),
        "host": describe_host(),
    }


def _verify_network(
    model: Path,
    session: onnxruntime.InferenceSession,
    reference: Reference,
    progress: Progress,
) -> dict[str, Any]:
    """What of the result is found by comparing."""
    names = list(reference.values)
    outputs = [output.name for output in session.get_outputs()]
    missing = [name for name in names if name not in outputs]
    if missing:
        raise InputError(
            f"{model} does not put out {missing[0]!r}, which the reference has; make both of one "
            "file"
        )
    feed = session.get_inputs()[0]
    fixed = feed.shape[0] if isinstance(feed.shape[0], int) else None
    tally = Tally(reference.rule)
    got: dict[str, list[Any]] = {name: [] for name in names}
    for begin, part in reference.batches(fixed or BATCH):
        progress("comparing", begin / len(reference.images))
        count = len(part.images)
        try:
            results = session.run([outputs[0], *names], {feed.name: fill_batch(part.images, fixed)})
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise InputError(f"the model cannot be run: {reason(error)}") from error
        logits, *values = (result[:count] for result in results)
        require_shapes([part.logits, *part.values.values()], [logits, *values], ["logits", *names])
        tally.add_logits(begin, part.logits, logits)
        for name, value in zip(names, values, strict=True):
            tally.add_values(begin, part.values[name], value)
            got[name].append(value)
    layers = [
        layer_report(name, reference.values[name], np.concatenate(got[name])) for name in names
    ]
    first = next((layer for layer in layers if layer["different"]), None)
    return {
        "passed": tally.passed,
        "images": len(reference.images),
        "values": tally.compared,
        "different": tally.different,
        "layers": layers,
        "first_difference": None if first is None else first["name"],
        "failing_image": tally.failing_image,
        "logits": {
            "worst": tally.worst_logit,
            "tolerance": tally.rule.tolerance,
            "wrong_images": tally.wrong_logits,
            "other_class": tally.other_class,
        },
        "top1": tally.top1,
    }


def _parse(arguments: Sequence[str] | None) -> tuple[Path, Path, VerifyOptions]:
    parser = Parser(
        prog="python -m bdnet_runtime.verify",
        description="Compares what one ONNX model computes with a reference; writes JSON lines.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("model", metavar="MODEL.onnx", type=Path, help="the model, with the reference's outputs")
    add("reference", metavar="REFERENCE.npz", type=Path, help="images and what they should give")
    add("--threads", type=int, default=1, help="intra-op threads (%(default)s)")
    add("--no-library", action="store_true", help="run the standard operators in the file")
    given = parser.parse_args(arguments)
    return given.model, given.reference, VerifyOptions(given.threads, not given.no_library)


def main(arguments: Sequence[str] | None = None) -> int:
    return run_main(lambda: write_event(verify(*_parse(arguments), ProgressWriter())))


if __name__ == "__main__":
    sys.exit(main())
