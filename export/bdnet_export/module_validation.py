"""Is the file the module? Region by region: the same input to a binary region, the same bits out.

The module is deployed and traced again; PyTorch runs the traced program and says what goes into
each region of the file and what comes out. Each region of the file then runs by itself on PyTorch's
input, with our library and without. What a binary region puts out must be equal; a float region has
a tolerance, since libraries add in their own order. Through a float region an error may pass and
turn a sign, so the whole file is compared with the whole module apart, and reported as what it
is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from torch import nn

import bdnet_runtime
from bdnet import InputError
from bdnet_export.metadata import ModelMetadata, read_metadata
from bdnet_export.model_file import file_digest, fixed_batch, load_model
from bdnet_export.module_graph import ModuleGraph, Origin, build_graph
from bdnet_export.module_reference import compute, float_values
from bdnet_export.regions import Part, Region, extract, find_regions
from bdnet_export.report import Check, LayerComparison, ValidationReport
from bdnet_runtime.session import reason
from bdnet_runtime.verification import Array, differing, layer_report

REGION_TOLERANCE = 1e-5
"""Of the largest value that a float region puts out for these inputs."""


def validate_module(
    path: Path,
    model: nn.Module,
    inputs: Sequence[Array],
    *,
    description: str = "the inputs given",
    layers: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ValidationReport:
    """Compares a file of `export` with the module it claims to be, region by region.

    Args:
        inputs: one float32 array an input of the module, each [N, ...].
        description: of the inputs, for the report.
        layers: puts the comparison of each layer's output into the report.
        progress: called with (regions done, regions in all).

    Raises:
        InputError: the file is not one of ours or not of this module, or the inputs do not fit.
    """
    started = time.perf_counter()
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    batch = fixed_batch(proto)
    _require_inputs(proto, path, inputs, batch)
    opset = next(entry.version for entry in proto.opset_import if not entry.domain)
    shapes = [tuple(array.shape[1:]) for array in inputs]
    fused = bool(metadata.network.get("fused"))
    traced = build_graph(model, shapes, batch=batch, opset=opset, fuse=fused)
    report = ValidationReport(str(path), description, len(inputs[0]))
    report.checks += _check_constants(proto, metadata, traced)
    floats = float_values(traced.program)
    origins = {n: origin for n, origin in traced.origins.items() if origin.name in floats}
    _require_traced(proto, path, metadata.layers, origins)
    regions = find_regions(proto, origins, metadata.layers)
    parts = [extract(proto, region, origins) for region in regions]
    wanted = {n for part in parts for n in part.inputs} | {n for r in regions for n in r.outputs}
    values = compute(traced.program, inputs, {name: origins[name] for name in wanted})
    ways = [("with the library", True)] + [("without the library", False)] * bool(proto.functions)
    if not proto.functions:
        report.notes.append(
            "the file has no operator bodies (as --no-fallback writes it), so it was not run "
            "without the library"
        )
    done, total = 0, len(ways) * len(regions)
    for label, use_library in ways:
        compared = _Way(label, use_library, path)
        for region, part in zip(regions, parts, strict=True):
            compared.add(region, part, values)
            done += 1
            if progress is not None:
                progress(done, total)
        compared.conclude(report, layers)
    _compare_whole(report, path, proto, model, traced, inputs)
    report.seconds = time.perf_counter() - started
    return report


class _Way:
    """All regions, run one way."""

    def __init__(self, label: str, use_library: bool, path: Path) -> None:
        self._label, self._use_library, self._path = label, use_library, path
        self._layers: list[dict[str, Any]] = []
        self._compared = self._different = 0
        self._first: str | None = None
        self._binary = self._floats = 0
        self._worst, self._worst_region = 0.0, ""

    def add(self, region: Region, part: Part, values: dict[str, Array]) -> None:
        """Runs one region on PyTorch's values and compares what it puts out."""
        session = bdnet_runtime.create_session(
            part.model, use_library=self._use_library, name=f"region {region.name} of {self._path}"
        )
        got = _run(session, region, {name: values[name] for name in part.inputs})
        for name, result in zip(region.outputs, got, strict=True):
            expected = values[name]
            if result.shape != expected.shape:
                raise InputError(
                    f"{name} has shape {list(result.shape)} in {self._path} and "
                    f"{list(expected.shape)} in PyTorch; export the module again"
                )
            if region.is_binary:
                self._add_exact(region, name, expected, result)
            else:
                self._add_float(region, expected, result)
        self._binary += region.is_binary
        self._floats += not region.is_binary

    def _add_exact(self, region: Region, name: str, expected: Array, got: Array) -> None:
        wrong = int(differing(expected, got).sum())
        self._compared += expected.size
        self._different += wrong
        if wrong and self._first is None:
            self._first = name
        self._layers.append(layer_report(name, expected[:1], got[:1]))

    def _add_float(self, region: Region, expected: Array, got: Array) -> None:
        largest = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
        # Written so that a NaN counts as an error.
        error = float(np.nan_to_num(np.abs(got - expected).max() / largest, nan=np.inf))
        if error > self._worst:
            self._worst, self._worst_region = error, region.name

    def conclude(self, report: ValidationReport, layers: bool) -> None:
        """The verdicts of this way."""
        found = f"{self._different:,} of {self._compared:,} values of {self._binary} binary regions"
        found += " differ"
        if self._first is not None:
            found += f", first in {self._first}"
        report.checks.append(Check(f"regions equal {self._label}", self._different == 0, found))
        if self._floats:
            text = f"{self._floats} regions, largest error {self._worst:.1e} of the largest value"
            text += f" (in {self._worst_region})" if self._worst_region else ""
            within = self._worst <= REGION_TOLERANCE
            text += f", tolerance {REGION_TOLERANCE:.0e}"
            report.checks.append(Check(f"float regions {self._label}", within, text))
        report.values_compared += self._compared
        report.values_different += self._different
        report.first_difference = report.first_difference or self._first
        if layers:
            report.layers.append(LayerComparison(self._label, self._layers))


def _run(
    session: onnxruntime.InferenceSession, region: Region, feeds: dict[str, Array]
) -> list[Array]:
    try:
        return [np.asarray(y) for y in session.run(list(region.outputs), feeds)]
    except Exception as error:  # ORT's exceptions share no public base class
        raise InputError(
            f"ONNX Runtime cannot run region {region.name}: {reason(error)}"
        ) from error


def _require_inputs(
    proto: onnx.ModelProto, path: Path, inputs: Sequence[Array], batch: int | None
) -> None:
    expected = [
        [dim.dim_value or "N" for dim in value.type.tensor_type.shape.dim]
        for value in proto.graph.input
    ]
    given = [list(array.shape) for array in inputs]
    fits = len(given) == len(expected) and all(
        len(shape) == len(want)
        and all(w in ("N", size) for size, w in zip(shape, want, strict=True))
        for shape, want in zip(given, expected, strict=True)
    )
    if not fits:
        raise InputError(f"{path} reads inputs of shape {expected}; those given have {given}")
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


def _compare_whole(
    report: ValidationReport,
    path: Path,
    proto: onnx.ModelProto,
    model: nn.Module,
    traced: ModuleGraph,
    inputs: Sequence[Array],
) -> None:
    """The whole file beside the module as it was trained: a remark, since a sign may turn."""
    session = bdnet_runtime.create_session(path)
    feeds = {value.name: array for value, array in zip(proto.graph.input, inputs, strict=True)}
    got = session.run(None, feeds)
    with torch.no_grad():
        was_training = model.training
        trained = model.eval()(*(torch.from_numpy(array) for array in inputs))
        model.train(was_training)
        deployed = traced.network(*(torch.from_numpy(array) for array in inputs))
    for name, from_file, ours, theirs in zip(
        [value.name for value in proto.graph.output],
        got,
        torch.utils._pytree.tree_leaves(deployed),
        torch.utils._pytree.tree_leaves(trained),
        strict=True,
    ):
        largest = max(float(ours.abs().max()), float(np.finfo(np.float32).tiny))
        to_deployed = float(np.abs(from_file - ours.numpy()).max()) / largest
        to_trained = float((ours - theirs).abs().max()) / largest
        report.notes.append(
            f"output {name}: the whole file differs from the deployment form by at most "
            f"{to_deployed:.1e} of the largest value, and that from the trained module by "
            f"{to_trained:.1e}"
        )
