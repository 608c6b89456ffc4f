"""Is the file the module? Region by region: the same input to a binary region, the same bits out.

The module is deployed and traced again; PyTorch runs the traced program and says what goes into
each region of the file and what comes out. Each region of the file then runs by itself on PyTorch's
input, with our library and without. What a binary region puts out must be equal; a float region has
a tolerance, since libraries add in their own order. Through a float region an error may pass and
turn a sign, so the whole file is compared with the whole module apart (module_whole.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from torch import nn

import bdnet_runtime
from bdnet import InputError
from bdnet.deployment import unwrapped
from bdnet_export.against_trained import AgainstTrained
from bdnet_export.dynamic_size import reads_any_size
from bdnet_export.file_inputs import file_inputs
from bdnet_export.int8_linear import int8_nodes
from bdnet_export.layer_names import layer_names
from bdnet_export.metadata import ModelMetadata, read_metadata
from bdnet_export.model_file import file_digest, fixed_batch, fused_away, load_model
from bdnet_export.module_export import module_file
from bdnet_export.module_graph import Origin, build_graph
from bdnet_export.module_reference import compute, float_values
from bdnet_export.module_whole import WholeModule, run_session
from bdnet_export.region_record import Cut, RegionRecord
from bdnet_export.regions import TOLERATED, Part, Region, extract, find_regions
from bdnet_export.report import Check, LayerComparison, ValidationReport
from bdnet_runtime.output_tally import OutputTally, relative_error
from bdnet_runtime.verification import Array, Images, differing, fill_batch

_BATCH = 4
"""Images at a time, where the file leaves the batch open: every layer's output is kept for them."""


def validate_module(
    path: Path,
    model: nn.Module,
    inputs: Sequence[Images],
    *,
    labels: npt.NDArray[np.int64] | None = None,
    description: str = "the inputs given",
    layers: bool = False,
    against_trained: bool = False,
    record: RegionRecord | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ValidationReport:
    """Compares a file of `export` with the module it claims to be, region by region.

    Args:
        inputs: one array an input of the file: float32 [N, ...], or bytes uint8 [N, H, W, C].
        labels: int64 [N], for the accuracy of a module with one output [N, classes].
        description: of the inputs, for the report.
        layers: puts the comparison of each layer's output into the report.
        against_trained: puts the signs that deployment flips into the report (`AgainstTrained`).
        record: is given what PyTorch computes, so that a device can be asked for the same.
        progress: called with (images done, images in all).

    Raises:
        InputError: the file is not one of ours or not of this module, or the inputs do not fit.
    """
    started, model = time.perf_counter(), unwrapped(model)
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    fixed = fixed_batch(proto)
    fed = file_inputs(proto, path)
    fed.require(inputs)
    opset = next(entry.version for entry in proto.opset_import if not entry.domain)
    # As the module reads them.
    shapes = {
        name: tuple(metadata.network_input(array[:1]).shape[1:])
        for name, array in zip(fed.names, inputs, strict=True)
    }
    fused = bool(metadata.network.get("fused"))
    traced = build_graph(
        model, shapes, batch=fixed, opset=opset, fuse=fused, dynamic_size=reads_any_size(proto)
    )
    report = ValidationReport(str(path), description, len(inputs[0]))
    _require_traced(proto, path, metadata.layers, traced.origins)
    same = module_file(
        traced,
        proto.graph.name,
        opset,
        fallback=False,
        of_bytes=fed.of_bytes,
        preprocessing=metadata.preprocessing,
        int8_classifier=bool(metadata.int8),
    )
    report.checks += _check_constants(proto, metadata, file_digest(same.proto))
    floats = float_values(traced.program)
    origins = {
        same.normalised.get(name, name): origin
        for name, origin in traced.origins.items()
        if origin.name in floats
    }
    int8 = int8_nodes(proto, metadata.int8)
    regions = find_regions(proto, origins, metadata.layers, int8)
    parts = [extract(proto, region, origins, int8) for region in regions]
    wanted = {n for part in parts for n in part.inputs} | {n for r in regions for n in r.outputs}
    wanted -= set(fed.of_bytes)
    names = layer_names(proto, [name for region in regions for name in region.outputs])
    if record is not None:
        borders = find_regions(proto, origins, (), int8)
        of_borders = [extract(proto, region, origins, int8) for region in borders]
        record.begin(Cut(borders, of_borders, names), Cut(regions, parts, names))
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
        filled = [fill_batch(array[begin : begin + batch], fixed) for array in inputs]
        floats_read = [metadata.network_input(array) for array in filled]
        values = compute(traced.program, floats_read, {name: origins[name] for name in wanted})
        feeds = dict(zip(fed.names, filled, strict=True))
        for way in ways:
            way.compare({**feeds, **values}, count)
        if record is not None:
            record.add({**feeds, **values}, count)
        if trained is not None:
            trained.compare(floats_read, count)
        whole.compare(feeds, floats_read, count)
        if progress is not None:
            progress(begin + count, total)
    for way in ways:
        way.conclude(report, layers)
    if layers:
        report.notes += filter(None, [fused_away(proto)])
    if trained is not None:
        report.against_trained = trained.result()
    report.notes += whole.notes()
    if metadata.int8:
        report.classifier_agreement = whole.classifier_agreement()
        if report.classifier_agreement is not None:
            same_class = round(report.classifier_agreement * total)
            report.notes.append(
                f"the top class is that of the float classifier on {same_class:,} of {total:,} "
                "inputs"
            )
    if labels is not None:
        report.accuracy_pytorch, report.accuracy_onnx = whole.accuracies(labels)
        if report.accuracy_onnx is None:
            report.notes.append(
                "the labels were not used: accuracy is of a module with one output [N, classes]"
            )
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
        # By the kind of region: the largest error, and where.
        self._worst: dict[str, tuple[float, str]] = {}

    def compare(self, values: Mapping[str, npt.NDArray[Any]], count: int) -> None:
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
                expected, found = (np.atleast_1d(y)[:count] for y in (values[name], result))
                if is_first:
                    layer = OutputTally(self._names[name], region.tolerance)
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
        if error > self._worst.get(region.kind, (0.0, ""))[0]:
            self._worst[region.kind] = error, region.name

    def conclude(self, report: ValidationReport, layers: bool) -> None:
        """The verdicts of this way."""
        kinds: Counter[str] = Counter(region.kind for region, _, _ in self._regions)
        found = (
            f"{self._different:,} of {self._compared:,} values of {kinds['exact']} binary regions "
            "differ"
        )
        if self._first is not None:
            found += f", first in {self._first}"
        report.checks.append(Check(f"regions equal {self._label}", self._different == 0, found))
        for kind, name, unit, tolerance in TOLERATED:
            if not kinds[kind]:
                continue
            worst, where = self._worst.get(kind, (0.0, ""))
            text = f"{kinds[kind]} {unit}, largest error {worst:.1e} of the largest value"
            text += f" (in {where})" if where else ""
            text += f", tolerance {tolerance:.0e}"
            report.checks.append(Check(f"{name} {self._label}", worst <= tolerance, text))
        report.values_compared += self._compared
        report.values_different += self._different
        report.first_difference = report.first_difference or self._first
        if layers:
            report.layers.append(LayerComparison(self._label, self._layers))


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
    proto: onnx.ModelProto, metadata: ModelMetadata, in_module: str
) -> list[Check]:
    found, expected = file_digest(proto), metadata.constants_sha256
    unchanged, same = found == expected, found == in_module
    form = "the deployment form" + (" with its classifier in int8" if metadata.int8 else "")
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
                f" and in {form}"
                if same
                else f", {in_module[:12]} in {form}: another checkpoint, or a changed file"
            ),
        ),
    ]
