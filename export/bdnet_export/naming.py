"""Names in the exported graph: each node and value after the module that made it.

torch.onnx numbers values (``add_37``); a reader, a profile and a validation report want
``body.3.pointwise``. The module's path comes from the scopes torch.onnx leaves on each node.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

import onnx_ir as ir

from bdnet_export import layout

_SCOPES = "pkg.torch.onnx.name_scopes"


def _scopes(node: ir.Node) -> list[str]:
    """Paths of the modules a node is in, outermost first."""
    text = node.metadata_props.get(_SCOPES)
    return [] if text is None else list(ast.literal_eval(text))[:-1]


def name_by_module(graph: ir.Graph, layers: Sequence[str]) -> None:
    """Renames nodes to ``path/Operator`` and values after their node.

    The output of each module in ``layers`` gets the module's path itself as its name; where the
    module ends in a transposition to NCHW, it is what is transposed. Inputs, outputs and
    initialisers of the graph keep theirs.
    """
    last: dict[str, ir.Node] = {}
    for node in graph:
        for scope in _scopes(node):
            last[scope] = node
    outputs = {value.name for value in graph.outputs}
    seen: Counter[str] = Counter()
    for node in graph:
        scopes = _scopes(node)
        name = f"{scopes[-1] if scopes and scopes[-1] else 'graph'}/{node.op_type}"
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}.{seen[name]}"
        for index, value in enumerate(node.outputs):
            if value.name not in outputs:
                value.name = node.name if index == 0 else f"{node.name}#{index}"
    for layer in layers:
        end = last.get(layer)
        if end is None:  # a module that the network holds and does not call
            continue
        result = end.inputs[0] if layout.is_transpose(end, layout.TO_FIRST) else end.outputs[0]
        if result is not None and result.name not in outputs:
            result.name = layer


def is_module_output(name: str | None) -> bool:
    """Whether `name_by_module` gave a value this name because a layer returns it."""
    return name is not None and "/" not in name
