"""What a file can be measured beside: its twins, other kernels of ours, other files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from bdnet import InputError
from bdnet_devices import Contestant
from bdnet_devices.bench_result import MODEL
from bdnet_devices.device import Progress
from bdnet_export.byte_input import read_bytes
from bdnet_export.file_input import Size, file_input
from bdnet_export.images import ImageSet, load_images, random_images
from bdnet_export.metadata import ModelMetadata, read_metadata
from bdnet_export.model_file import fixed_batch, load_model
from bdnet_export.twins import float_twin, int8_twin, lite_twin
from bdnet_runtime.benchmark import BenchmarkOptions
from bdnet_runtime.lite import SUFFIX as LITE_SUFFIX

FP32, INT8, TFLITE, NO_LIBRARY = "fp32", "int8", "tflite", "no-library"
TWINS = (FP32, INT8, TFLITE)
ISAS = ("reference", "avx2", "avx512", "neon")
"""The kernels that builds of the library can have; this processor may not run all of them."""

CALIBRATION_IMAGES = 8


def require_known(names: Sequence[str]) -> None:
    """Raises `InputError` for a name of nothing that a file can be measured beside."""
    known = (*TWINS, NO_LIBRARY, *ISAS)
    for name in names:
        if name.endswith((".onnx", LITE_SUFFIX)):
            if not Path(name).is_file():
                raise InputError(f"there is no file {name} to compare with")
        elif name not in known:
            close = difflib.get_close_matches(name, known, 1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"{name!r} is nothing to compare with; {hint}it may be "
                f"{', '.join(map(repr, known))}, or the path of an .onnx or a .tflite file"
            )


def needs_lite(names: Iterable[str]) -> bool:
    """Whether one of them is a .tflite file, or the twin that is one."""
    return any(name == TFLITE or name.endswith(LITE_SUFFIX) for name in names)


def write_twins(
    path: Path,
    folder: Path,
    wanted: Sequence[str],
    batches: Iterable[int | None],
    images: Path | None,
    progress: Progress,
    size: Size | None = None,
) -> str | None:
    """Writes those of the twins that are wanted.

    Args:
        batches: images a run: a .tflite file is made for each.
        images: what the int8 twin is calibrated on; by default noise.
        size: height and width of the images, where the file leaves them open.

    Returns:
        What the int8 twin was calibrated on, in words, where it is wanted.
    """
    model = load_model(path)
    progress("building the fp32 twin", 0.0)
    twin, metadata = float_twin(model, path, size), read_metadata(model, path)

    def save(made: onnx.ModelProto, name: str) -> None:
        # What makes floats of bytes is in the file, so it is in those it is measured beside.
        if metadata.as_bytes and metadata.preprocessing is not None:
            read_bytes(made, made.graph.input[0].name, metadata.preprocessing)
        _save(made, _twin_path(name, path, folder))

    calibration = None
    if INT8 in wanted:
        calibration = _calibration(file_input(model, path).image_shape(size), images, metadata)
        progress(f"quantising the int8 twin on {calibration.description}", 0.0)
        floats = np.asarray(calibration.images, np.float32)
        save(int8_twin(twin, floats), INT8)
    if TFLITE in wanted:
        for batch in dict.fromkeys(batches):
            lite_twin(
                twin,
                fixed_batch(model) or batch or 1,
                _twin_path(TFLITE, path, folder, batch),
                progress,
            )
    if FP32 in wanted:
        save(twin, FP32)
    return None if calibration is None else calibration.description


def _calibration(
    shape: tuple[int, int, int], images: Path | None, metadata: ModelMetadata
) -> ImageSet:
    """What the int8 twin, which is quantised as a network of floats, is calibrated on."""
    if images is None:
        return random_images(CALIBRATION_IMAGES, shape)
    return load_images(images, input_shape=shape, preprocessing=metadata.preprocessing)


def contestant(name: str, path: Path, folder: Path, options: BenchmarkOptions) -> Contestant:
    """Who is measured under ``name``, beside the file at ``path`` and with its ``options``.

    Args:
        folder: where `write_twins` has written.
    """
    # The twins and the bodies need nothing of the library, not the memory it takes either.
    plain = replace(options, use_library=False, isa=None)
    if name in TWINS:
        path, options = _twin_path(name, path, folder, options.batch), plain
    elif name == NO_LIBRARY:
        options = plain
    elif name in ISAS:
        options = replace(options, use_library=True, isa=name)
    elif name != MODEL:
        path = Path(name)
        lite = path.suffix == LITE_SUFFIX
        options = plain if lite else replace(options, use_library=True, isa=None)
    images = "" if options.batch is None else f", batch {options.batch}"
    return Contestant(f"{name}, threads {options.threads}{images}", path, options)


def _twin_path(name: str, path: Path, folder: Path, batch: int | None = None) -> Path:
    if name != TFLITE:
        return folder / f"{path.stem}.{name}.onnx"
    return folder / f"{path.stem}.fp32{'' if batch is None else f'.batch{batch}'}{LITE_SUFFIX}"


def _save(twin: onnx.ModelProto, path: Path) -> None:
    try:
        onnx.save(twin, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
