"""The operators' bodies as they stand in a file: functions of the model, at the model's opset.

A body in a file calls no other function: what opset.py calls is inlined here, by onnx's inliner,
for the reason that opset.py gives.

onnxscript keeps the variables that a loop carries in a set, so their order, and with it the names
of values, differs from process to process. The same model must give the same bytes, so bodies are
put into one form here: carried variables in the order of their names, values named in the order in
which they are computed, nodes after their values.
"""

from __future__ import annotations

import re
from functools import cache

import onnx
import onnx.inliner
from onnx import FunctionProto, NodeProto

from bdnet_export.opset import DOMAIN, OPERATORS, PARTS, VERSION


def operator_bodies(opset: int) -> dict[str, FunctionProto]:
    """The body of each operator by its name, importing the standard operators of ``opset``.

    The bodies are written in opset 18 and use nothing that changed its meaning since; the checker
    demands that a function and its model import the same opset.
    """
    bodies = {}
    for operator in OPERATORS:
        body = _canonical(_flat_body(operator.name))
        del body.opset_import[:]
        body.opset_import.append(onnx.helper.make_opsetid("", opset))
        bodies[operator.name] = body
    return bodies


def foreign_bodies(model: onnx.ModelProto) -> list[str]:
    """Names of the functions of ``ai.bdnet`` in a file that are not the specification's."""
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    ours = operator_bodies(opset)
    return [
        function.name
        for function in model.functions
        if function.domain == DOMAIN and function != ours.get(function.name)
    ]


@cache
def _flat_body(name: str) -> FunctionProto:
    """The body of one operator with every call in it replaced by what is called."""
    functions = [function.to_function_proto() for function in (*OPERATORS, *PARTS)]
    graph = onnx.helper.make_graph([], "no nodes: the functions are what is wanted", [], [])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid(DOMAIN, VERSION)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, functions=functions)
    others = [(function.domain, function.name) for function in functions if function.name != name]
    body: FunctionProto
    (body,) = onnx.inliner.inline_selected_functions(model, others).functions
    return body


def _canonical(function: FunctionProto) -> FunctionProto:
    names = {name: name for name in function.input}
    result = FunctionProto()
    result.CopyFrom(function)
    result.ClearField("doc_string")
    result.ClearField("value_info")  # says nothing but the types of inputs and outputs
    _rename(list(result.node), names, set(function.input))
    result.output[:] = [names[name] for name in function.output]
    return result


def _rename(nodes: list[NodeProto], names: dict[str, str], taken: set[str]) -> None:
    """Gives the nodes' outputs new names, in order; ``names`` says what each old one is now."""
    for node in nodes:
        if node.op_type == "Loop":
            _sort_carried(node)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                graph = attribute.g
                graph.name = attribute.name
                inner = dict(names)
                for value in graph.input:
                    old, value.name = value.name, _fresh(value.name, taken)
                    inner[old] = value.name
                _rename(list(graph.node), inner, taken)
                for value in graph.output:
                    value.name = inner[value.name]
        node.input[:] = [names[name] if name else "" for name in node.input]
        for index, name in enumerate(node.output):
            names[name] = _fresh(name, taken)
            node.output[index] = names[name]
        node.name = node.output[0]


def _sort_carried(loop: NodeProto) -> None:
    """Orders what a loop carries by the names of the first values, which the source decides."""
    (body,) = (a.g for a in loop.attribute if a.name == "body")
    order = sorted(range(len(loop.output)), key=lambda index: loop.input[2 + index])
    # A loop has its trip count and condition before what it carries; its body the condition.
    loop.input[2:] = [loop.input[2 + index] for index in order]
    loop.output[:] = [loop.output[index] for index in order]
    for values, before in ((body.input, 2), (body.output, 1)):
        carried = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in values[before:]]
        del values[before:]
        values.extend(carried[index] for index in order)


def _fresh(name: str, taken: set[str]) -> str:
    base = re.sub(r"(_+\d+)+$", "", name)
    candidate, count = base, 1
    while candidate in taken:
        count += 1
        candidate = f"{base}_{count}"
    taken.add(candidate)
    return candidate
