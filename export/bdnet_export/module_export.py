"""Export of any module that holds layers of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
from torch import nn

import bdnet
from bdnet import Network, Preprocessing
from bdnet_export.export_result import ExportResult
from bdnet_export.metadata import ModelMetadata
from bdnet_export.model_file import file_digest
from bdnet_export.module_graph import InputShape, build_graph
from bdnet_export.opset import DOMAIN
from bdnet_export.writing import strip, to_proto, write_model


def export_module(
    model: nn.Module,
    path: Path,
    input_shapes: Sequence[InputShape],
    *,
    batch: int | None,
    opset: int,
    fallback: bool,
    fuse: bool,
    preprocessing: Preprocessing | None,
    dynamic_size: bool,
    progress: Callable[[str], None],
) -> ExportResult:
    """Writes a module as an ONNX file; arguments as `bdnet_export.export`, which calls it."""
    started = time.perf_counter()
    progress("folding constants, packing weights, tracing with torch.export and torch.onnx")
    graph = build_graph(
        model, input_shapes, batch=batch, opset=opset, fuse=fuse, dynamic_size=dynamic_size
    )
    progress("attaching operator bodies, checking")
    strip(graph.model)
    proto = to_proto(graph.model, type(model).__name__, opset, fallback)
    network = {
        "model": type(model).__name__,
        "config": model.config if isinstance(model, Network) else {},
        "form": "module",
        "fused": fuse,
    }
    metadata = ModelMetadata(
        bdnet.__version__, network, file_digest(proto), tuple(graph.layers), preprocessing
    )
    onnx.helper.set_model_props(proto, metadata.to_properties())
    onnx.checker.check_model(proto, full_check=True)
    size = write_model(proto, path)
    custom = sum(node.domain == DOMAIN for node in proto.graph.node)
    return ExportResult(
        path,
        size,
        time.perf_counter() - started,
        len(proto.graph.node),
        custom,
        graph.fusion.nodes,
        fallback,
        opset,
        graph.fusion.layers,
    )
