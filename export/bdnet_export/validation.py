"""Validation: is the exported file the network, bit for bit?

The deployment form in PyTorch is the reference. The file runs in ONNX Runtime twice, with our
library (the kernels) and without (the operators' bodies), on every image. The features that leave
the binary body must be equal; behind them float libraries add in their own order, so logits have
a tolerance (docs/numerics.md). The trained network against its deployment form is another
question, and answered apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from torch import nn

import bdnet
from bdnet import BDNet, DeployedNet, InputError, is_network
from bdnet.deployment import deploy_module, unwrapped
from bdnet_devices import Device
from bdnet_export.against_trained import AgainstTrained, images_at_once
from bdnet_export.bodies import foreign_bodies
from bdnet_export.comparison import FileRun, TrainedAgainstDeployed
from bdnet_export.device_run import DeviceRun, ask_devices, device_error
from bdnet_export.file_input import file_input
from bdnet_export.images import ImageSet
from bdnet_export.int8_linear import constants_of, digest_with_int8
from bdnet_export.metadata import ModelMetadata, read_metadata
from bdnet_export.model_file import (
    file_digest,
    fixed_batch,
    fused_away,
    fused_blocks,
    layers_in_file,
    load_model,
)
from bdnet_export.module_devices import compare_on_devices
from bdnet_export.module_validation import validate_module
from bdnet_export.parity import pytorch_reference
from bdnet_export.region_record import RegionQuestion, RegionRecord
from bdnet_export.report import Check, LayerComparison, ValidationReport
from bdnet_runtime.verification import Images, Reference, Tally, fill_batch

_BATCH = 16
"""Images compared at a time, where the file leaves the batch open."""


def validate(
    onnx_path: str | os.PathLike[str],
    model: nn.Module,
    image_set: ImageSet,
    *,
    devices: Sequence[Device] = (),
    layers: bool = False,
    against_trained: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ValidationReport:
    """Compares an exported file with the trained network it claims to be, on every image.

    Args:
        onnx_path: a file written by `bdnet_export.export`.
        model: the trained network; what is no `bdnet.BDNet` in its plain form is compared region by
            region (`validate_module`).
        image_set: what the file reads, preprocessed images [N, C, H, W] or bytes [N, H, W, C];
            labels, if any, give accuracies.
        devices: where the file runs besides this machine, each with the library; what one of them
            fails with is in the report.
        layers: compares every layer as well, on the first image, also where the features are equal.
        against_trained: counts the signs that deployment flips (`AgainstTrained`), on every image.
        progress: called with (images done, images in all).

    Raises:
        InputError: the file is not one of ours or cannot be run, or the images do not fit.
    """
    started = time.perf_counter()
    path, model = Path(onnx_path), unwrapped(model)
    if not is_network(model):
        record = RegionRecord() if devices else None
        report = validate_module(
            path,
            model,
            [image_set.images, *image_set.more],
            labels=image_set.labels,
            description=image_set.description,
            layers=layers,
            against_trained=against_trained,
            record=record,
            progress=progress,
        )
        if record is not None:
            compare_on_devices(devices, path, record, report, layers)
            report.seconds = time.perf_counter() - started
        return report
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    deployed = bdnet.deploy(model)
    _require_architecture(proto, path, metadata, model, deployed)
    _require_fit(proto, path, image_set)
    report = ValidationReport(str(path), image_set.description, len(image_set.images))
    report.checks += _check_constants(proto, metadata, deployed)
    if proto.functions:
        report.checks.append(_check_bodies(proto))
    here = [FileRun("with the library", path, proto, metadata, use_library=True)]
    if proto.functions:
        here.append(FileRun("without the library", path, proto, metadata, use_library=False))
    else:
        report.notes.append(
            "the file has no operator bodies (as --no-fallback writes it), so it was not run "
            "without the library"
        )
    there = [DeviceRun(device, path, metadata) for device in devices]
    runs: list[FileRun | DeviceRun] = [*here, *there]
    trained = TrainedAgainstDeployed(model, deployed)
    flips = AgainstTrained(model, deploy_module(model)) if against_trained else None
    fixed = fixed_batch(proto)
    batch = fixed or _BATCH
    total = len(image_set.images)
    for begin in range(0, total, batch):
        images = image_set.images[begin : begin + batch]
        read = metadata.network_input(images)
        features, logits = trained.compare(read)
        if flips is not None:
            at_once = images_at_once(*read.shape[2:])
            for at in range(0, len(read), at_once):
                part = read[at : at + at_once]
                flips.compare([part], len(part))
        for run in runs:
            run.compare(begin, fill_batch(images, fixed), features, logits)
        if progress is not None:
            progress(begin + len(images), total)
    ask = partial(_ask, deployed=deployed, images=image_set.images, batch=fixed, layers=layers)
    for way in here:
        _add(report, ask(way))
    for name, outcome in ask_devices({run.device: partial(ask, run) for run in there}).items():
        if isinstance(outcome, Exception):
            report.device_errors[name] = device_error(name, outcome)
        else:
            _add(report, outcome)
    if report.values_different == 0 and any(run.tally.wrong_logits for run in runs):
        report.first_difference = "head"
    report.checks.append(trained.check())
    report.sign_agreement, report.top1_agreement = trained.sign_agreement, trained.top1_agreement
    report.against_trained = None if flips is None else flips.result()
    if layers:
        report.notes += filter(None, [fused_away(proto)])
    if metadata.int8:
        report.classifier_agreement = 1 - here[0].tally.other_class / total
    if image_set.labels is not None:
        report.accuracy_pytorch = float(np.mean(np.array(trained.top1) == image_set.labels))
        report.accuracy_onnx = float(np.mean(np.array(here[0].tally.top1) == image_set.labels))
    report.seconds = time.perf_counter() - started
    return report


def device_references(
    onnx_path: str | os.PathLike[str],
    model: nn.Module,
    image_set: ImageSet,
    *,
    layers: bool = False,
) -> list[Reference | RegionQuestion]:
    """What `validate` sends to each device for its arguments, where nothing differs there."""
    path, model = Path(onnx_path), unwrapped(model)
    if not is_network(model):
        record = RegionRecord()
        validate_module(path, model, [image_set.images, *image_set.more], record=record)
        return [record.question(), *([record.layer_question()] if layers else [])]
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    _require_architecture(proto, path, metadata, model, bdnet.deploy(model))
    _require_fit(proto, path, image_set)
    references: list[Reference | RegionQuestion] = [
        pytorch_reference(model, metadata, image_set.images, [metadata.features])
    ]
    if layers:
        references.append(pytorch_reference(model, metadata, image_set.images[:1], metadata.layers))
    return references


@dataclass(frozen=True)
class _Findings:
    """What one way of running the file has shown."""

    tally: Tally
    checks: list[Check]
    first_difference: tuple[str | None, Check] | None
    layers: LayerComparison | None


def _ask(
    run: FileRun | DeviceRun,
    deployed: DeployedNet,
    images: Images,
    batch: int | None,
    layers: bool,
) -> _Findings:
    checks, first, compared = run.checks(), None, None
    failing = run.tally.failing_image
    if failing is not None:
        image = fill_batch(images[failing : failing + 1], batch)
        layer, shown = run.first_difference(deployed, image)
        first = layer, Check(f"first difference {run.label}", False, shown)
    if layers:
        compared = run.compare_layers(deployed, fill_batch(images[:1], batch))
    return _Findings(run.tally, checks, first, compared)


def _add(report: ValidationReport, found: _Findings) -> None:
    report.checks += found.checks
    report.values_compared += found.tally.compared
    report.values_different += found.tally.different
    report.max_logit_error = max(report.max_logit_error, found.tally.worst_logit)
    if found.first_difference is not None and report.first_difference is None:
        report.first_difference, check = found.first_difference
        report.checks.append(check)
    if found.layers is not None:
        report.layers.append(found.layers)
        report.checks.append(found.layers.check())
        report.first_difference = report.first_difference or found.layers.first_difference


def _check_bodies(proto: onnx.ModelProto) -> Check:
    foreign = foreign_bodies(proto)
    return Check(
        "operator bodies are the specification's",
        not foreign,
        f"{len(proto.functions)} bodies in the file"
        + (f", {', '.join(foreign)} not as bdnet writes it" if foreign else ""),
    )


def _require_architecture(
    proto: onnx.ModelProto, path: Path, metadata: ModelMetadata, model: BDNet, deployed: DeployedNet
) -> None:
    if layers_in_file(proto, deployed.layers()) != metadata.layers:
        raise InputError(
            f"{path} was exported from another architecture "
            f"({metadata.network.get('model')} with "
            f"{len(metadata.layers) + len(fused_blocks(proto))} layers) than the "
            f"network given ({type(model).__name__} with {len(deployed.layers())} layers)"
        )


def _require_fit(proto: onnx.ModelProto, path: Path, image_set: ImageSet) -> None:
    expected, images = file_input(proto, path), image_set.images
    if not expected.takes(images):
        raise InputError(
            f"the images are {images.dtype} {list(images.shape)}; {path} reads "
            f"{expected.describe()}"
        )
    if len(image_set.images) == 0:
        raise InputError("there are no images to compare on; give at least one")
    if not np.isfinite(image_set.images).all():
        raise InputError(
            "the images hold values that are not finite, which no sum can be compared on; "
            "give images of finite values"
        )


def _check_constants(
    proto: onnx.ModelProto, metadata: ModelMetadata, deployed: DeployedNet
) -> list[Check]:
    found = file_digest(proto)
    unchanged = found == metadata.constants_sha256
    expected = digest_with_int8(constants_of(deployed), metadata.int8)
    same, form = found == expected, "the deployment form"
    if metadata.int8:
        form += " with its classifier in int8"
    return [
        Check(
            "file unchanged since export",
            unchanged,
            f"digest of the file's constants {found[:12]}"
            + ("" if unchanged else f", its metadata says {metadata.constants_sha256[:12]}"),
        ),
        Check(
            "constants equal the deployment form's",
            same,
            f"digest {found[:12]} in the file"
            + (
                f" and in {form}"
                if same
                else f", {expected[:12]} in {form}: another checkpoint, or a changed file"
            ),
        ),
    ]
