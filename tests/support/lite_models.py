"""Small .tflite files, written without a converter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
OPEN = -1  # a dimension whose size whoever loads the file may choose


def relu(
    path: Path, shape: Sequence[int] = (OPEN, 4, 4, 3), data_type: int = schema.TensorType.FLOAT32
) -> Path:
    """y = max(x, 0), written to ``path``."""
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(name, shape, data_type) for name in ("x", "y")]
    graph.inputs, graph.outputs = [0], [1]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    graph.operators = [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    path.write_bytes(builder.Output())
    return path


def _tensor(name: str, shape: Sequence[int], data_type: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name = name.encode()
    tensor.shape = [max(size, 1) for size in shape]
    tensor.shapeSignature = list(shape)
    tensor.type = data_type
    return tensor
