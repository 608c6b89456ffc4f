"""Export: a trained network becomes one ONNX file that carries its own meaning.

The network is put into its deployment form, traced by torch.onnx into bare nodes of ``ai.bdnet``
and standard operators, cleaned of everything that is private to the machine, and given the
operators' bodies, so that an ONNX Runtime without our library runs it too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import onnx_ir as ir
import torch
from torch import nn

import bdnet
from bdnet import DeployedNet, InputError, Preprocessing, is_network
from bdnet.deployment import unwrapped
from bdnet_export.byte_input import read_bytes, require_byte_preprocessing
from bdnet_export.export_result import ExportResult
from bdnet_export.fusion import Fusion
from bdnet_export.fusion import fuse as fuse_layers
from bdnet_export.input_shapes import GivenShapes, InputShape, named_shapes
from bdnet_export.int8_linear import constants_of, digest_with_int8, quantise_linears
from bdnet_export.metadata import ModelMetadata
from bdnet_export.model_file import layers_in_file
from bdnet_export.module_export import export_module
from bdnet_export.naming import name_by_module
from bdnet_export.per_image import run_image_by_image
from bdnet_export.tracing import trace
from bdnet_export.writing import finish, strip, to_proto

OPSETS = range(18, 24)
"""Opsets a file may be written in: 18 has BitwiseAnd on uint8, 23 is the newest tested."""


def export(
    model: nn.Module,
    path: str | os.PathLike[str],
    *,
    input_shape: GivenShapes,
    dynamic_batch: bool = True,
    batch: int = 1,
    opset: int = 18,
    fallback: bool = True,
    fuse: bool = True,
    preprocessing: Preprocessing | None = None,
    as_bytes: bool = False,
    dynamic_size: bool = False,
    int8_classifier: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ExportResult:
    """Writes ``model`` as an ONNX file.

    A `bdnet.BDNet` gives a file with input ``image`` float32 [N, C, H, W] and output ``logits``.
    Any other module that holds layers of bdnet is exported as it is, with the inputs that its
    forward names; its float layers become standard operators (docs/export.md).

    The same model and arguments give the same bytes. The file appears under its name only when it
    is complete.

    Args:
        model: a trained network; left as it is.
        input_shape: (C, H, W) of the image; of a module with several inputs one shape each, in the
            order of its forward or by their names, all without the batch. Of an example, where the
            size is dynamic.
        dynamic_batch: leaves the batch open; otherwise it is ``batch``. Several images go through
            the binary body one by one (`bdnet_export.per_image`).
        opset: of the standard operators, 18 to 23.
        fallback: attaches the operators' bodies, so that the file runs without our library.
        fuse: makes one operator of each block and of the stem, which runs faster and gives the
            same bits; without it every unit's output is a value of the file.
        preprocessing: noted in the metadata.
        as_bytes: the input is uint8 [N, H, W, C], and the preprocessing is inside the file. Of
            several inputs, those of as many channels as the preprocessing has.
        dynamic_size: leaves height and width open.
        int8_classifier: large Linear layers behind the last sign have int8 weights.
        progress: called with a few words at the beginning of each stage.

    Raises:
        InputError: the model has no deployment form, the shape does not fit it, the opset is not
            supported, bytes have no preprocessing or one that does not fit, a network of one size
            is to read any, or the path cannot be written.
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
    if batch < 1:
        raise InputError(f"the batch is {batch}; expected a positive number")
    model = unwrapped(model)
    shapes = named_shapes(model, input_shape)
    if not is_network(model):
        return export_module(
            model,
            path,
            shapes,
            batch=None if dynamic_batch else batch,
            opset=opset,
            fallback=fallback,
            fuse=fuse,
            preprocessing=preprocessing,
            as_bytes=as_bytes,
            dynamic_size=dynamic_size,
            int8_classifier=int8_classifier,
            progress=tell,
        )
    (image_shape,) = shapes.values()
    if len(image_shape) != 3:
        raise InputError(
            f"the input shape is {input_shape}; expected the channels, height and width of an image"
        )
    tell("folding constants, packing weights")
    deployed = bdnet.deploy(model)
    _require_fit(deployed, image_shape)
    if as_bytes:
        preprocessing = require_byte_preprocessing(preprocessing, image_shape[0])
    tell("tracing with torch.export and torch.onnx")
    example = torch.zeros(2 if dynamic_batch else batch, *image_shape)
    traced = trace(
        deployed,
        [example],
        opset,
        ["image"],
        ["logits"],
        dynamic_batch=dynamic_batch,
        dynamic_size=dynamic_size,
    ).model
    tell("naming, fusing, attaching operator bodies, checking")
    fusion = _prepare(traced, deployed, fuse)
    proto = to_proto(traced, type(model).__name__, opset, fallback)
    if as_bytes and preprocessing is not None:
        read_bytes(proto, proto.graph.input[0].name, preprocessing)
    int8 = quantise_linears(proto) if int8_classifier else ()
    if dynamic_batch or batch > 1:
        run_image_by_image(proto, deployed.layers()[-1])
    metadata = ModelMetadata(
        bdnet.__version__,
        {"model": type(model).__name__, "config": model.config},
        digest_with_int8(constants_of(deployed), int8),
        layers_in_file(proto, deployed.layers()),
        preprocessing,
        as_bytes,
        int8,
    )
    return finish(proto, metadata, path, inputs=shapes, fusion=fusion, started=started)


def _require_fit(deployed: DeployedNet, input_shape: InputShape) -> None:
    channels = deployed.stem.weight.shape[2]
    if input_shape[0] != channels:
        raise InputError(
            f"the input shape is {','.join(map(str, input_shape))} (channels, height, width), "
            f"but the network's stem reads {channels} channels; "
            f"give --input-shape {channels},H,W"
        )


def _prepare(model: ir.Model, deployed: DeployedNet, fuse: bool) -> Fusion:
    """Names, fuses and cleans the traced graph; returns what became of each layer."""
    name_by_module(model.graph, deployed.layers())
    fusion = fuse_layers(model, apply=fuse)
    strip(model)
    return fusion
