"""Export of any module that holds layers of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from torch import nn

import bdnet
from bdnet import Network, Preprocessing
from bdnet_export.byte_input import byte_inputs, read_bytes
from bdnet_export.export_result import ExportResult
from bdnet_export.input_shapes import InputShape
from bdnet_export.int8_linear import quantise_linears
from bdnet_export.metadata import ModelMetadata
from bdnet_export.model_file import file_digest
from bdnet_export.module_graph import ModuleGraph, build_graph
from bdnet_export.writing import finish, strip, to_proto


@dataclass(frozen=True)
class ModuleFile:
    """What a file of a module holds, but for its metadata.

    Args:
        normalised: by the name of each input of bytes, the value that is made of it.
        int8: names of the weights that are int8.
    """

    proto: onnx.ModelProto
    normalised: dict[str, str]
    int8: tuple[str, ...]


def module_file(
    graph: ModuleGraph,
    name: str,
    opset: int,
    *,
    fallback: bool,
    of_bytes: Collection[str],
    preprocessing: Preprocessing | None,
    int8_classifier: bool,
) -> ModuleFile:
    """A traced module as a file holds it; its graph is cleaned in place.

    Args:
        of_bytes: names of the inputs that are image bytes; they are normalised by
            ``preprocessing``.

    Raises:
        InputError: no layer can be int8.
    """
    strip(graph.model)
    proto = to_proto(graph.model, name, opset, fallback)
    normalised = {}
    if preprocessing is not None:
        normalised = {image: read_bytes(proto, image, preprocessing) for image in of_bytes}
    return ModuleFile(proto, normalised, quantise_linears(proto) if int8_classifier else ())


def export_module(
    model: nn.Module,
    path: Path,
    shapes: Mapping[str, InputShape],
    *,
    batch: int | None,
    opset: int,
    fallback: bool,
    fuse: bool,
    preprocessing: Preprocessing | None,
    as_bytes: bool,
    dynamic_size: bool,
    int8_classifier: bool,
    progress: Callable[[str], None],
) -> ExportResult:
    """Writes a module as an ONNX file; arguments as `bdnet_export.export`, which calls it.

    Args:
        shapes: of each input by its name, in the order of the forward.
        batch: None leaves it open.
    """
    started = time.perf_counter()
    of_bytes = byte_inputs(shapes, preprocessing) if as_bytes else ()
    progress("folding constants, packing weights, tracing with torch.export and torch.onnx")
    graph = build_graph(
        model, shapes, batch=batch, opset=opset, fuse=fuse, dynamic_size=dynamic_size
    )
    progress("attaching operator bodies, checking")
    made = module_file(
        graph,
        type(model).__name__,
        opset,
        fallback=fallback,
        of_bytes=of_bytes,
        preprocessing=preprocessing,
        int8_classifier=int8_classifier,
    )
    network = {
        "model": type(model).__name__,
        "config": model.config if isinstance(model, Network) else {},
        "form": "module",
        "fused": fuse,
    }
    metadata = ModelMetadata(
        bdnet.__version__,
        network,
        file_digest(made.proto),
        tuple(graph.layers),
        preprocessing,
        as_bytes,
        made.int8,
    )
    return finish(made.proto, metadata, path, inputs=shapes, fusion=graph.fusion, started=started)
