"""From a finished graph to a file: without what is private, with the operators' bodies."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx_ir as ir

import bdnet
from bdnet import InputError
from bdnet_export.bodies import operator_bodies
from bdnet_export.export_result import ExportResult
from bdnet_export.fusion import Fusion
from bdnet_export.input_shapes import InputShape
from bdnet_export.metadata import ModelMetadata
from bdnet_export.opset import DOMAIN, VERSION
from bdnet_export.per_image import nodes

_IR_VERSION = 10
"""What ONNX Runtime 1.21, the oldest we support, reads."""


def to_proto(model: ir.Model, name: str, opset: int, fallback: bool) -> onnx.ModelProto:
    """The graph as the file holds it, with the bodies of the operators it uses if ``fallback``."""
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


def strip(model: ir.Model) -> None:
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


def finish(
    proto: onnx.ModelProto,
    metadata: ModelMetadata,
    path: Path,
    *,
    inputs: Mapping[str, InputShape],
    fusion: Fusion,
    started: float,
) -> ExportResult:
    """Notes the metadata in the model, checks it and writes it.

    Args:
        inputs: the shape that each was traced with.
        fusion: what became of each layer.
        started: when the export began, by `time.perf_counter`.

    Raises:
        InputError: the path cannot be written.
    """
    onnx.helper.set_model_props(proto, metadata.to_properties())
    onnx.checker.check_model(proto, full_check=True)
    size = _write(proto, path)
    return ExportResult(
        path=path,
        bytes=size,
        seconds=time.perf_counter() - started,
        nodes=sum(1 for _ in nodes(proto)),
        custom_nodes=sum(node.domain == DOMAIN for node in nodes(proto)),
        fused_nodes=fusion.nodes,
        fallback=bool(proto.functions),
        opset=next(entry.version for entry in proto.opset_import if not entry.domain),
        inputs=dict(inputs),
        outputs=tuple(value.name for value in proto.graph.output),
        layers=fusion.layers,
    )


def _write(proto: onnx.ModelProto, path: Path) -> int:
    """Writes the file, which appears under its name only when it is complete. Returns its bytes."""
    content = proto.SerializeToString(deterministic=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        if part.is_file():
            part.unlink()
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    return len(content)
