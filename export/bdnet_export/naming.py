"""Names in the exported graph: each node and value after the module that made it.

torch.onnx numbers values (``add_37``); a reader, a profile and a validation report want
``body.3.pointwise``. The module's path comes from the scopes torch.onnx leaves on each node.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence

import onnx_ir as ir
import torch
from torch.export.graph_signature import OutputKind, TensorArgument
from torch.utils import _pytree as pytree

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
    outputs = {id(value) for value in graph.outputs}  # a name may be another value's yet
    seen: Counter[str] = Counter()
    for node in graph:
        scopes = _scopes(node)
        name = f"{scopes[-1] if scopes and scopes[-1] else 'graph'}/{node.op_type}"
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}.{seen[name]}"
        for index, value in enumerate(node.outputs):
            if id(value) not in outputs:
                value.name = node.name if index == 0 else f"{node.name}#{index}"
    for layer in layers:
        end = last.get(layer)
        if end is None:  # a module that the network holds and does not call
            continue
        result = end.inputs[0] if layout.is_transpose(end, layout.TO_FIRST) else end.outputs[0]
        if result is not None and id(result) not in outputs:
            result.name = layer


def name_outputs(graph: ir.Graph, program: torch.export.ExportedProgram, taken: set[str]) -> None:
    """Calls the outputs what the module's own forward calls them.

    The keys of a dictionary and the fields of a named tuple, one inside another with a dot between
    them; otherwise ``output``. Behind a name that is used already stand numbers: ``output_1``. An
    output that is an input too, or another output, gets a node of its own.

    Args:
        program: what the graph was made of.
        taken: names of values, and such that values will get.
    """
    names = _returned_names(program)
    used = set(taken)
    for index, (value, wanted) in enumerate(zip(graph.outputs, names, strict=True)):
        name, number = wanted, 0
        while name in used:
            number += 1
            name = f"{wanted}_{number}"
        used.add(name)
        if value.is_graph_input() or value in list(graph.outputs)[:index]:
            copied = ir.node("Identity", [value])
            copied.outputs[0].type, copied.outputs[0].shape = value.type, value.shape
            copied.outputs[0].metadata_props.update(value.metadata_props)
            graph.append(copied)
            graph.outputs[index] = value = copied.outputs[0]
        value.name = name


def _returned_names(program: torch.export.ExportedProgram) -> list[str]:
    """Of every tensor that a traced module returns; not of a None."""
    spec = program.call_spec.out_spec
    assert spec is not None, "torch.export keeps it"
    paths, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(range(spec.num_leaves), spec))
    returned = [o for o in program.graph_signature.output_specs if o.kind == OutputKind.USER_OUTPUT]
    names = []
    for (path, _), output in zip(paths, returned, strict=True):
        if isinstance(output.arg, TensorArgument):
            keys = [getattr(key, "key", getattr(key, "name", None)) for key in path]
            name = ".".join(str(key) for key in keys if key is not None)
            names.append(re.sub(r"[^\w.-]", "_", name) or "output")
    return names


def is_module_output(name: str | None) -> bool:
    """Whether `name_by_module` gave a value this name because a layer returns it."""
    return name is not None and "/" not in name
