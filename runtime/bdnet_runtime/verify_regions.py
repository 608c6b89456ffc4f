"""Compares a cut file with what its regions should compute: `verify` for any module."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from bdnet_runtime.errors import InputError
from bdnet_runtime.events import Progress
from bdnet_runtime.output_tally import OutputTally
from bdnet_runtime.region_reference import SavedRegions
from bdnet_runtime.session import reason


def verify_regions(
    session: onnxruntime.InferenceSession, saved: SavedRegions, progress: Progress
) -> dict[str, Any]:
    """What of the result of `bdnet_runtime.verify` is found by comparing.

    Raises:
        InputError: the model cannot be run, or does not fit the reference.
    """
    names = list(saved.tolerances)
    tallies = {name: OutputTally(name, saved.tolerances[name]) for name in names}
    images = 0
    for done, batch in enumerate(saved.batches()):
        progress("comparing", done / len(saved.counts))
        try:
            results = session.run(names, batch.inputs)
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise InputError(f"the model cannot be run: {reason(error)}") from error
        for name, result in zip(names, results, strict=True):
            expected, got = batch.outputs[name], np.asarray(result)
            if expected.shape != got.shape:
                raise InputError(
                    f"the file computes {name} of shape {list(got.shape)}, the reference has "
                    f"{list(expected.shape)}; make both of one file"
                )
            # A number for all images is what it is.
            expected, got = (np.atleast_1d(y)[: batch.count] for y in (expected, got))
            tallies[name].add(images, expected, got)
        images += batch.count
    exact = [tally for tally in tallies.values() if tally.tolerance is None]
    wrong = {name: tally for name, tally in tallies.items() if tally.different}
    failing = [t.first_image for t in exact if t.first_image is not None]
    return {
        "passed": not wrong,
        "images": images,
        "values": sum(tally.values for tally in exact),
        "different": sum(tally.different for tally in exact),
        "layers": [tally.report() for tally in tallies.values()],
        "first_difference": next(iter(wrong), None),
        "failing_image": min(failing, default=None),
        "logits": None,
        "top1": [],
    }
