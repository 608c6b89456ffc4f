"""Export: a trained network becomes one ONNX file that carries its own meaning.

The network is put into its deployment form, traced by torch.onnx into bare nodes of ``ai.bdnet``
and standard operators, cleaned of everything that is private to the machine, and given the
operators' bodies, so that an ONNX Runtime without our library runs it too.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
import torch

import bdnet
from bdnet import DeployedNet, InputError, Preprocessing
from bdnet.models.base import BDNet
from bdnet_export import fusion
from bdnet_export.bodies import operator_bodies
from bdnet_export.byte_input import read_bytes, require_byte_preprocessing
from bdnet_export.metadata import ModelMetadata
from bdnet_export.model_file import layers_in_file
from bdnet_export.naming import name_by_module
from bdnet_export.opset import DOMAIN, VERSION
from bdnet_export.per_image import nodes, run_image_by_image
from bdnet_export.translation import translation_table

OPSETS = range(18, 24)
"""Opsets a file may be written in: 18 has BitwiseAnd on uint8, 23 is the newest tested."""

_IR_VERSION = 10
"""What ONNX Runtime 1.21, the oldest we support, reads."""


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote.

    Args:
        bytes: the file's size; ``seconds``: from the model to the file.
        nodes: in the file; ``custom_nodes``: those of ``ai.bdnet``; ``fused_nodes``: those of
            them that stand for several nodes of the unfused file.
    """

    path: Path
    bytes: int
    seconds: float
    nodes: int
    custom_nodes: int
    fused_nodes: int
    fallback: bool
    opset: int


def export(
    model: BDNet,
    path: str | os.PathLike[str],
    *,
    input_shape: tuple[int, int, int],
    dynamic_batch: bool = True,
    batch: int = 1,
    opset: int = 18,
    fallback: bool = True,
    fuse: bool = True,
    preprocessing: Preprocessing | None = None,
    as_bytes: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ExportResult:
    """Writes ``model`` as an ONNX file: input ``image`` float32 [N, C, H, W], output ``logits``.

    The same model and arguments give the same bytes. The file appears under its name only when
    it is complete.

    Args:
        model: a trained network; left as it is.
        input_shape: (C, H, W) of the image.
        dynamic_batch: leaves the batch open; otherwise it is ``batch``. Several images go through
            the binary body one by one (`bdnet_export.per_image`).
        opset: of the standard operators, 18 to 23.
        fallback: attaches the operators' bodies, so that the file runs without our library.
        fuse: makes one operator of each block and of the stem, which runs faster and gives the
            same bits; without it every unit's output is a value of the file.
        preprocessing: noted in the metadata.
        as_bytes: the input is uint8 [N, H, W, C], and the preprocessing is inside the file.
        progress: called with a few words at the beginning of each stage.

    Raises:
        InputError: the model has no deployment form, the shape does not fit it, the opset is not
            supported, bytes have no preprocessing or one that does not fit, or the path cannot be
            written.
    """
    started = time.perf_counter()
    tell = progress or (lambda stage: None)
    path = Path(path)
    if opset not in OPSETS:
        raise InputError(
            f"opset {opset} is not supported; choose one from {OPSETS[0]} to {OPSETS[-1]}"
        )
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into")
    if len(input_shape) != 3 or min(input_shape) < 1 or batch < 1:
        raise InputError(
            f"input shape {tuple(input_shape)} with batch {batch}; expected three positive "
            "lengths, channels first, and a positive batch"
        )
    tell("folding constants, packing weights")
    deployed = bdnet.deploy(model)
    _require_fit(deployed, input_shape)
    if as_bytes:
        preprocessing = require_byte_preprocessing(preprocessing, input_shape[0])
    tell("tracing with torch.export and torch.onnx")
    traced = _trace(deployed, input_shape, None if dynamic_batch else batch, opset)
    tell("naming, fusing, attaching operator bodies, checking")
    fused = _prepare(traced, deployed, fuse)
    proto = _finish(traced, type(model).__name__, opset, fallback)
    if as_bytes and preprocessing is not None:
        read_bytes(proto, proto.graph.input[0].name, preprocessing)
    if dynamic_batch or batch > 1:
        run_image_by_image(proto, deployed.layers()[-1])
    metadata = ModelMetadata(
        bdnet.__version__,
        {"model": type(model).__name__, "config": model.config},
        deployed.digest(),
        layers_in_file(proto, deployed.layers()),
        preprocessing,
        as_bytes,
    )
    onnx.helper.set_model_props(proto, metadata.to_properties())
    onnx.checker.check_model(proto, full_check=True)
    content = proto.SerializeToString(deterministic=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        if part.is_file():
            part.unlink()
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    return ExportResult(
        path,
        len(content),
        time.perf_counter() - started,
        sum(1 for _ in nodes(proto)),
        sum(node.domain == DOMAIN for node in nodes(proto)),
        fused,
        fallback,
        opset,
    )


def _require_fit(deployed: DeployedNet, input_shape: tuple[int, int, int]) -> None:
    channels = deployed.stem.weight.shape[2]
    if input_shape[0] != channels:
        raise InputError(
            f"the input shape is {','.join(map(str, input_shape))} (channels, height, width), "
            f"but the network's stem reads {channels} channels; "
            f"give --input-shape {channels},H,W"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch.onnx's remarks about packages we do not use from the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)


def _trace(
    deployed: DeployedNet, input_shape: tuple[int, int, int], batch: int | None, opset: int
) -> ir.Model:
    # torch.export takes an example batch of 1 for a constant, so a dynamic batch is shown as 2.
    example = torch.zeros(2 if batch is None else batch, *input_shape)
    dynamic = None if batch is not None else ({0: torch.export.Dim("batch")},)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            deployed,
            (example,),
            dynamo=True,
            # The optimiser would merge constants that happen to be equal, and rename them.
            optimize=False,
            opset_version=opset,
            custom_translation_table=translation_table(),
            dynamic_shapes=dynamic,
            input_names=["image"],
            output_names=["logits"],
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return program.model


def _prepare(model: ir.Model, deployed: DeployedNet, fuse: bool) -> int:
    """Names, fuses and cleans the traced graph; returns how many fused nodes it has."""
    name_by_module(model.graph, deployed.layers())
    fused = fusion.fuse(model) if fuse else 0
    _strip(model)
    return fused


def _finish(model: ir.Model, name: str, opset: int, fallback: bool) -> onnx.ModelProto:
    model.graph.name = name
    model.producer_name, model.producer_version = "bdnet", bdnet.__version__
    model.ir_version = _IR_VERSION
    model.opset_imports.clear()
    model.opset_imports.update({"": opset, DOMAIN: VERSION})
    model.functions.clear()
    proto = ir.serde.serialize_model(model)
    if fallback:
        used = {node.op_type for node in model.graph if node.domain == DOMAIN}
        bodies = operator_bodies(opset)
        proto.functions.extend(bodies[name] for name in sorted(used))
    return proto


def _strip(model: ir.Model) -> None:
    """Removes what torch.onnx notes for itself: stack traces, class names, paths of this machine.

    It is private, it is a third of a small file, and it differs from run to run.
    """
    model.metadata_props.clear()
    model.doc_string = None
    model.graph.metadata_props.clear()
    model.graph.doc_string = None
    values = [*model.graph.inputs, *model.graph.initializers.values()]
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        values.extend(node.outputs)
    for value in values:
        value.metadata_props.clear()
        value.doc_string = None
