"""Which types make the int8 twin fastest on this machine: so that the peer is a fair one.

Usage: python benchmarks/int8_types.py MODEL.onnx. Quantises the float twin of an exported file with
each choice that ONNX Runtime offers and measures them in turn, one thread. Prints Markdown.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType

import bdnet_export
from bdnet_export.model_file import image_shape, load_model
from bdnet_export.twins import float_twin, int8_twin
from bdnet_runtime.benchmark import BenchmarkOptions

UINT8, INT8 = QuantType.QUInt8, QuantType.QInt8
# int8 activations with uint8 weights are refused by ONNX Runtime. The first is what the others are
# compared with.
CHOICES = (
    (UINT8, INT8, True),
    (UINT8, INT8, False),
    (INT8, INT8, True),
    (INT8, INT8, False),
    (UINT8, UINT8, False),
)


def main(path: Path) -> None:
    model = load_model(path)
    twin = float_twin(model, path)
    images = bdnet_export.random_images(2, image_shape(model, path)).images
    with tempfile.TemporaryDirectory() as folder:
        files: list[str] = []
        for activations, weights, per_channel in CHOICES:
            file = Path(folder, f"{len(files)}.onnx")
            quantised = int8_twin(
                *(twin, images),
                activations=activations,
                weights=weights,
                per_channel=per_channel,
            )
            onnx.save(quantised, file)
            files.append(str(file))
        options = BenchmarkOptions(use_library=False)
        question = bdnet_export.SpeedQuestion(files[0], files[1:], options=options)
        comparison = bdnet_export.compare_speed(question)
    print("| activations | weights | a scale for each | p50, ms | time / the first's |")
    print("|---|---|---|---|---|")
    for (activations, weights, per_channel), run in zip(CHOICES, comparison.runs, strict=True):
        ratio = comparison.ratio(run)
        print(
            f"| {activations.name[1:].lower()} | {weights.name[1:].lower()} "
            f"| {'channel' if per_channel else 'layer'} "
            f"| {run.benchmark['latency_ms']['p50']:.2f} "
            f"| {ratio.median:.2f} ({ratio.lowest:.2f}–{ratio.highest:.2f}) |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
