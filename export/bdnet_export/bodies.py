"""The operators' bodies as they stand in a file: functions of the model, at the model's opset."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from bdnet_export.opset import DOMAIN, OPERATORS


def operator_bodies(opset: int) -> dict[str, ir.Function]:
    """The body of each operator by its name, importing the standard operators of ``opset``.

    The bodies are written in opset 18 and use nothing that changed its meaning since; the checker
    demands that a function and its model import the same opset.
    """
    bodies = {}
    for operator in OPERATORS:
        body = ir.serde.deserialize_function(operator.to_function_proto())
        body.opset_imports[""] = opset
        bodies[operator.name] = body
    return bodies


def foreign_bodies(model: onnx.ModelProto) -> list[str]:
    """Names of the functions of ``ai.bdnet`` in a file that are not the specification's."""
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    ours = {
        name: ir.serde.serialize_function(body).SerializeToString(deterministic=True)
        for name, body in operator_bodies(opset).items()
    }
    return [
        function.name
        for function in model.functions
        if function.domain == DOMAIN
        and function.SerializeToString(deterministic=True) != ours.get(function.name)
    ]
