"""Is the file the module? Region by region: the same input to a binary region, the same bits out.

The module is deployed and traced again; PyTorch runs the traced program and says what goes into
each region of the file and what comes out. Each region of the file then runs by itself on PyTorch's
input, with our library and without. What a binary region puts out must be equal; a float region has
a tolerance, since libraries add in their own order. Through a float region an error may pass and
turn a sign, so the whole file is compared with the whole module apart (module_whole.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from torch import nn

import bdnet_runtime
from bdnet import InputError
from bdnet_export.against_trained import AgainstTrained
from bdnet_export.dynamic_size import reads_any_size
from bdnet_export.layer_names import layer_names
from bdnet_export.metadata import ModelMetadata, read_metadata
from bdnet_export.model_file import file_digest, fixed_batch, fused_away, load_model
from bdnet_export.module_graph import ModuleGraph, Origin, build_graph
from bdnet_export.module_reference import compute, float_values
from bdnet_export.module_whole import WholeModule, run_session
from bdnet_export.region_record import Cut, RegionRecord
from bdnet_export.regions import Part, Region, extract, find_regions
from bdnet_export.report import Check, LayerComparison, ValidationReport
from bdnet_runtime.output_tally import OutputTally, relative_error
from bdnet_runtime.verification import Array, differing, fill_batch

REGION_TOLERANCE = 1e-5
"""Of the largest value that a float region puts out for a batch."""

_BATCH = 4
"""Images at a time, where the file leaves the batch open: every layer's output is kept for them."""


def validate_module(
    path: Path,
    model: nn.Module,
    inputs: Sequence[Array],
    *,
    description: str = "the inputs given",
    layers: bool = False,
    against_trained: bool = False,
    record: RegionRecord | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ValidationReport:
    """Compares a file of `export` with the module it claims to be, region by region.

    Args:
        inputs: one float32 array an input of the module, each [N, ...].
        description: of the inputs, for the report.
        layers: puts the comparison of each layer's output into the report.
        against_trained: puts the signs that deployment flips into the report (`AgainstTrained`).
        record: is given what PyTorch computes, so that a device can be asked for the same.
        progress: called with (images done, images in all).

    Raises:
        InputError: the file is not one of ours or not of this module, or the inputs do not fit.
    """
    started = time.perf_counter()
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    fixed = fixed_batch(proto)
    _require_inputs(proto, path, inputs)
    opset = next(entry.version for entry in proto.opset_import if not entry.domain)
    shapes = [tuple(array.shape[1:]) for array in inputs]
    fused = bool(metadata.network.get("fused"))
    traced = build_graph(
        model, shapes, batch=fixed, opset=opset, fuse=fused, dynamic_size=reads_any_size(proto)
    )
    report = ValidationReport(str(path), description, len(inputs[0]))
    report.checks += _check_constants(proto, metadata, traced)
    _require_traced(proto, path, metadata.layers, traced.origins)
    floats = float_values(traced.program)
    origins = {n: origin for n, origin in traced.origins.items() if origin.name in floats}
    regions = find_regions(proto, origins, metadata.layers)
    parts = [extract(proto, region, origins) for region in regions]
    wanted = {n for part in parts for n in part.inputs} | {n for r in regions for n in r.outputs}
    names = layer_names(proto, [name for region in regions for name in region.outputs])
    tolerances = {n: REGION_TOLERANCE for r in regions if not r.is_binary for n in r.outputs}
    if record is not None:
        borders = find_regions(proto, origins)
        of_borders = [extract(proto, region, origins) for region in borders]
        record.begin(
            Cut(borders, of_borders, names, tolerances), Cut(regions, parts, names, tolerances)
        )
    ways = [_Way("with the library", True, path, regions, parts, names)]
    if proto.functions:
        ways.append(_Way("without the library", False, path, regions, parts, names))
    else:
        report.notes.append(
            "the file has no operator bodies (as --no-fallback writes it), so it was not run "
            "without the library"
        )
    whole = WholeModule(path, proto, model, traced.network)
    trained = AgainstTrained(model, traced.network) if against_trained else None
    batch, total = fixed or _BATCH, len(inputs[0])
    for begin in range(0, total, batch):
        count = len(inputs[0][begin : begin + batch])
        filled = [
            np.asarray(fill_batch(array[begin : begin + batch], fixed), np.float32)
            for array in inputs
        ]
        values = compute(traced.program, filled, {name: origins[name] for name in wanted})
        for way in ways:
            way.compare(values, count)
        if record is not None:
            record.add(values, count)
        if trained is not None:
            trained.compare(filled, count)
        whole.compare(filled, count)
        if progress is not None:
            progress(begin + count, total)
    for way in ways:
        way.conclude(report, layers)
    if layers:
        report.notes += filter(None, [fused_away(proto)])
    if trained is not None:
        report.against_trained = trained.result()
    report.notes += whole.notes()
    report.seconds = time.perf_counter() - started
    return report


class _Way:
    """All regions, run one way, with what differed so far."""

    def __init__(
        self,
        label: str,
        use_library: bool,
        path: Path,
        regions: Sequence[Region],
        parts: Sequence[Part],
        names: Mapping[str, str],
    ) -> None:
        self._label, self._path, self._names = label, path, names
        self._regions = [
            (
                region,
                part.inputs,
                bdnet_runtime.create_session(
                    part.model, use_library=use_library, name=f"region {region.name} of {path}"
                ),
            )
            for region, part in zip(regions, parts, strict=True)
        ]
        self._layers: list[dict[str, Any]] = []
        self._compared = self._different = 0
        self._first: str | None = None
        self._worst, self._worst_region = 0.0, ""

    def compare(self, values: Mapping[str, Array], count: int) -> None:
        """Runs each region on PyTorch's values and compares what it puts out for ``count`` images.

        Args:
            values: by their names in the file, of images that may be filled up to a batch.
        """
        is_first = not self._layers
        for region, inputs, session in self._regions:
            feeds = {name: values[name] for name in inputs}
            got = run_session(session, region.outputs, feeds, f"region {region.name}")
            for name, result in zip(region.outputs, got, strict=True):
                if result.shape != values[name].shape:
                    raise InputError(
                        f"{name} has shape {list(result.shape)} in {self._path} and "
                        f"{list(values[name].shape)} in PyTorch; export the module again"
                    )
                expected, found = values[name][:count], result[:count]
                if is_first:
                    tolerance = None if region.is_binary else REGION_TOLERANCE
                    layer = OutputTally(self._names[name], tolerance)
                    layer.add(0, expected[:1], found[:1])
                    self._layers.append(layer.report())
                if not region.is_binary:
                    self._add_float(region, expected, found)
                    continue
                self._add_exact(name, expected, found)

    def _add_exact(self, name: str, expected: Array, got: Array) -> None:
        wrong = int(differing(expected, got).sum())
        self._compared += expected.size
        self._different += wrong
        if wrong and self._first is None:
            self._first = self._names[name]

    def _add_float(self, region: Region, expected: Array, got: Array) -> None:
        error = relative_error(expected, got)
        if error > self._worst:
            self._worst, self._worst_region = error, region.name

    def conclude(self, report: ValidationReport, layers: bool) -> None:
        """The verdicts of this way."""
        binary = sum(region.is_binary for region, _, _ in self._regions)
        found = (
            f"{self._different:,} of {self._compared:,} values of {binary} binary regions differ"
        )
        if self._first is not None:
            found += f", first in {self._first}"
        report.checks.append(Check(f"regions equal {self._label}", self._different == 0, found))
        if floats := len(self._regions) - binary:
            text = f"{floats} regions, largest error {self._worst:.1e} of the largest value"
            text += f" (in {self._worst_region})" if self._worst_region else ""
            within = self._worst <= REGION_TOLERANCE
            text += f", tolerance {REGION_TOLERANCE:.0e}"
            report.checks.append(Check(f"float regions {self._label}", within, text))
        report.values_compared += self._compared
        report.values_different += self._different
        report.first_difference = report.first_difference or self._first
        if layers:
            report.layers.append(LayerComparison(self._label, self._layers))


def _require_inputs(proto: onnx.ModelProto, path: Path, inputs: Sequence[Array]) -> None:
    # A name stands for a size that the file leaves open.
    shapes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]]
        for value in proto.graph.input
    ]
    given = [list(array.shape[1:]) for array in inputs]
    fits = len(given) == len(shapes) and all(
        len(sizes) == len(shape)
        and all(
            isinstance(want, str) or want == size for want, size in zip(shape, sizes, strict=True)
        )
        for shape, sizes in zip(shapes, given, strict=True)
    )
    if not fits:
        names = ", ".join(
            f"{value.name} [N, {', '.join(map(str, shape))}]"
            for value, shape in zip(proto.graph.input, shapes, strict=True)
        )
        raise InputError(
            f"{path} reads {names}; the shapes given are {[list(a.shape) for a in inputs]}"
        )
    if any(array.dtype != np.float32 for array in inputs):
        raise InputError("the inputs are not all float32; convert them")
    if len({len(array) for array in inputs}) > 1 or not len(inputs[0]):
        raise InputError("the inputs have different batches, or none; give as many of each")


def _require_traced(
    proto: onnx.ModelProto, path: Path, layers: Sequence[str], origins: Mapping[str, Origin]
) -> None:
    made = {name for node in proto.graph.node for name in node.output}
    expected = [*layers, *(v.name for v in proto.graph.output)]
    unknown = [name for name in expected if name not in origins or name not in made]
    if unknown:
        raise InputError(
            f"the module given has no value {unknown[0]} of {path}: the file is of another module, "
            "or of another version of PyTorch; export it again"
        )


def _check_constants(
    proto: onnx.ModelProto, metadata: ModelMetadata, traced: ModuleGraph
) -> list[Check]:
    found, expected = file_digest(proto), metadata.constants_sha256
    in_module = file_digest(ir.serde.serialize_model(traced.model))
    unchanged, same = found == expected, found == in_module
    return [
        Check(
            "file unchanged since export",
            unchanged,
            f"digest of the file's constants {found[:12]}"
            + ("" if unchanged else f", its metadata says {expected[:12]}"),
        ),
        Check(
            "constants equal the deployment form's",
            same,
            f"digest {found[:12]} in the file"
            + (
                " and in the deployment form"
                if same
                else f", {in_module[:12]} in the deployment form: another checkpoint, or a "
                "changed file"
            ),
        ),
    ]
