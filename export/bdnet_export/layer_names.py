"""What a user calls the values of a file: by their layer."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from bdnet_export.layout import TO_FIRST

_NHWC = "/nhwc"  # what layout.py appends to the name of a value in its other layout


def layer_names(model: onnx.ModelProto, values: Iterable[str]) -> dict[str, str]:
    """The layer that each of ``values`` comes from.

    That is the path of the module that returns it, ``blocks.0``, or, within a module, its path and
    the operator, ``blocks.0 (Relu)``. Two values never have one name: a result that leaves in a
    second layout has that behind its name, or keeps its own.
    """
    made_by = {name: node for node in model.graph.node for name in node.output}
    last: dict[str, str] = {}
    for node in model.graph.node:
        path = node.name.rpartition("/")[0] if node.op_type != "Transpose" else ""
        while path:
            last[path] = node.name
            path = path.rpartition(".")[0]
    names: dict[str, str] = {}
    for value in values:
        source = _untransposed(value, made_by)
        path, _, operator = source.rpartition("/")
        name = source
        if path == "graph":  # as naming.py calls what stands in no module
            name = f"the network ({operator})"
        elif path:
            name = path if last.get(path) == source else f"{path} ({operator})"
        if name in names.values() and _perm(made_by.get(value)) == TO_FIRST:
            name += " (NCHW)"
        names[value] = value if name in names.values() else name
    return names


def _untransposed(value: str, made_by: dict[str, onnx.NodeProto]) -> str:
    """What the value is in the layout in which it was computed."""
    node = made_by.get(value)
    if _perm(node) is not None and node is not None and value.startswith(f"{node.input[0]}/"):
        return _untransposed(node.input[0], made_by)
    other = value.removesuffix(_NHWC)
    return other if other in made_by else value


def _perm(node: onnx.NodeProto | None) -> list[int] | None:
    """Of a Transpose; None of any other node."""
    if node is None or node.op_type != "Transpose":
        return None
    return next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
