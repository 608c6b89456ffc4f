"""Does the file compute on a device what it should? The reference is made here and goes there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import bdnet
import bdnet_runtime
from bdnet import BDNet, InputError, is_network
from bdnet.deployment import unwrapped
from bdnet_devices import Device
from bdnet_devices.device import Progress
from bdnet_export.comparison import layer_outputs
from bdnet_export.file_inputs import input_of
from bdnet_export.metadata import ModelMetadata, read_metadata
from bdnet_export.model_file import fixed_batch, load_model, with_outputs
from bdnet_export.module_parity import module_reference, standard_module_reference
from bdnet_export.region_record import RegionQuestion
from bdnet_runtime.model_input import Size
from bdnet_runtime.verification import Images, Reference, fill_batch
from bdnet_runtime.verify import VerifyOptions

IMAGES = 4
AT_A_TIME = 16  # images in PyTorch


def verify_on_device(
    device: Device,
    path: Path,
    reference: Reference | RegionQuestion,
    options: VerifyOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compares what the file computes on the device with ``reference``.

    Returns:
        The result of ``python -m bdnet_runtime.verify``.
    """
    with verification_files(path, reference) as (model, saved):
        return device.verify(model, saved, options, progress)


def plan_verification(
    device: Device,
    path: Path,
    reference: Reference | RegionQuestion,
    options: VerifyOptions,
    note: Callable[[str], None],
) -> None:
    """Notes what `verify_on_device` would run. The device is one of a dry run."""
    with verification_files(path, reference) as files:
        model, saved = map(device.put, files)
        note(device.typed(options.command("", model, saved)))


@contextmanager
def verification_files(
    path: Path, reference: Reference | RegionQuestion
) -> Iterator[tuple[Path, Path]]:
    """What a device is sent: the file that puts out what is compared, and the reference."""
    with tempfile.TemporaryDirectory() as folder:
        model, saved = Path(folder, path.name), Path(folder, "reference.npz")
        if isinstance(reference, RegionQuestion):
            model.write_bytes(reference.model)
            reference.reference.save(saved)
        else:
            model.write_bytes(with_outputs(load_model(path), list(reference.values)))
            reference.save(saved)
        yield model, saved


def pytorch_reference(
    model: BDNet, metadata: ModelMetadata, images: Images, values: Sequence[str]
) -> Reference:
    """What the deployment form of ``model`` computes in PyTorch.

    Args:
        metadata: of the file that is to compute the same.
        images: what that file reads.
        values: modules of the deployment form, whose outputs are to be equal.
    """
    deployed = bdnet.deploy(model)
    read = metadata.network_input(images)
    parts = [
        layer_outputs(deployed, values, read[begin : begin + AT_A_TIME])
        for begin in range(0, len(images), AT_A_TIME)
    ]
    outputs = {name: np.concatenate([part[name] for part, _ in parts]) for name in values}
    logits = np.concatenate([logits for _, logits in parts])
    return Reference(images, logits, outputs, metadata.logit_rule)


def standard_reference(path: Path, images: Images) -> Reference:
    """What the file computes here by its operators' bodies, in ONNX Runtime's standard operators.

    That is what PyTorch computes where `bdnet_export.validate` has passed.
    """
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    features = metadata.features
    session = bdnet_runtime.create_session(
        with_outputs(proto, [features]), use_library=False, name=str(path)
    )
    fixed = fixed_batch(proto)
    size = fixed or len(images)
    parts = []
    for begin in range(0, len(images), size):
        part = images[begin : begin + size]
        names = [proto.graph.output[0].name, features]
        results = session.run(names, {proto.graph.input[0].name: fill_batch(part, fixed)})
        parts.append([np.asarray(result)[: len(part)] for result in results])
    logits, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Reference(images, logits, {features: values}, metadata.logit_rule)


def bench_reference(
    path: Path, model: nn.Module | None, size: Size | None = None
) -> tuple[Reference | RegionQuestion, str]:
    """What a bench verifies a device with, on a few images of noise, and what that is, in words.

    Args:
        model: the trained network; without it the file's own standard operators serve.
        size: height and width of the images, where the file leaves them open.

    Raises:
        InputError: the file has no bodies and there is no network, or it is not of this network.
    """
    proto = load_model(path)
    metadata = read_metadata(proto, path)
    noise = input_of(proto, path).random(IMAGES, size)
    images, inputs = noise.images, [noise.images, *noise.more]
    if model is not None:
        source, model = "PyTorch on the workstation", unwrapped(model)
        if metadata.is_module or not is_network(model):
            return module_reference(path, model, inputs), source
        return pytorch_reference(model, metadata, images, [metadata.features]), source
    if not proto.functions:
        raise InputError(
            f"{path} has no operator bodies (--no-fallback) to compare the device with; give the "
            "trained network with --source"
        )
    source = "the standard operators on the workstation"
    if metadata.is_module:
        return standard_module_reference(path, inputs), source
    return standard_reference(path, images), source
