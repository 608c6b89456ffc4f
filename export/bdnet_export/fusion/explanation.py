"""What became of each layer: the fused operator it is in, or why it is in none.

The reasons are those of the rules themselves: a rule is asked for every layer, and what it answers
is what decides. Of two units that are not fused with each other, the second one's reason is the
first one's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import onnx_ir as ir

from bdnet_export.fusion.graph import layer_of
from bdnet_export.fusion.rules import STARTS
from bdnet_export.opset import DOMAIN
from bdnet_export.regions import is_exact

_FORWARD = "forward"
"""What stands for the path of what the network's own forward does."""


@dataclass(frozen=True)
class LayerFusion:
    """One layer of the network, and what fusion made of it.

    Args:
        layer: its path; a layer that is used again has "(use 2)" and so on behind it.
        operators: of the unfused file that it computes with: of ours, or those of a float layer
            that stands between layers of ours.
        fused_into: the node of the file that computes it, None where it is not fused.
        reason: why it is not fused and what to change, in one sentence; None where it is.
    """

    layer: str
    operators: tuple[str, ...]
    fused_into: str | None
    reason: str | None


def explain(model: ir.Model) -> tuple[dict[ir.Node, LayerFusion], dict[ir.Node, str]]:
    """Asks the rules about every layer of an unfused graph, which stays as it is.

    Returns:
        By its node, what is said of each layer; and, by the nodes of layers that will be fused, the
        name of the value that their fused node will put out.
    """
    graph = model.graph
    labels = _labels(graph)
    reasons: dict[ir.Node, str] = {}
    fused: dict[ir.Node, str] = {}
    for node in labels:
        result = STARTS[node.op_type].match(model, graph, node)
        assert result is not None, "a rule has no condition beside its matcher"
        if result:
            inside = [part for part in result.nodes if part in labels]
            fused.update(dict.fromkeys(inside, str(result.outputs[0].name)))
            continue
        reasons.setdefault(node, result.reason)
        for second in result.failure_nodes_and_values[1:]:
            assert isinstance(second, ir.Node)
            reasons[second] = f"{labels[node]}, in front of it, is not fused with it: see there"
    rows = {
        node: LayerFusion(label, (node.op_type,), None, None if node in fused else reasons[node])
        for node, label in labels.items()
    }
    return rows | _float_layers(graph), fused


def not_asked_for(row: LayerFusion, by: str) -> LayerFusion:
    """The row of a layer that would be fused, in a file that was asked not to be.

    Args:
        by: what its fused operator would be called.
    """
    return replace(row, reason=f"--no-fuse keeps it apart; without that it is fused into {by}")


def _labels(graph: ir.Graph) -> dict[ir.Node, str]:
    """The layers that have a kernel, by their nodes."""
    labels, seen = {}, Counter[str]()
    for node in graph:
        if node.domain == DOMAIN and node.op_type in STARTS:
            path = layer_of(node) or _FORWARD
            seen[path] += 1
            labels[node] = path if seen[path] == 1 else f"{path} (use {seen[path]})"
    return labels


def _float_layers(graph: ir.Graph) -> dict[ir.Node, LayerFusion]:
    """The float layers between two layers of ours, by their first node."""
    behind = _reached(graph, forwards=True)
    before = _reached(graph, forwards=False)
    layers: dict[str, list[ir.Node]] = {}
    for node in graph:
        if node in behind and node in before and not is_exact(ir.serde.serialize_node(node)):
            path = str(node.name).rpartition("/")[0]
            layers.setdefault(_FORWARD if path in ("", "graph") else path, []).append(node)
    rows = {}
    for path, nodes in layers.items():
        operators = tuple(dict.fromkeys(node.op_type for node in nodes))
        verb = "rounds" if len(operators) == 1 else "round"
        reason = (
            f"{' and '.join(operators)} {verb} in ways of the library's own, so a binary region "
            "ends in front and another begins behind; a layer of bdnet.layers there makes them one"
        )
        rows[nodes[0]] = LayerFusion(path, operators, None, reason)
    return rows


def _reached(graph: ir.Graph, *, forwards: bool) -> set[ir.Node]:
    """The nodes that a layer of ours leads to, or that lead to one."""
    found: set[ir.Node] = set()
    for node in graph if forwards else reversed(graph):
        values = node.inputs if forwards else node.outputs
        for value in values:
            if value is None:
                continue
            nearest = [value.producer()] if forwards else [user for user, _ in value.uses()]
            if any(n is not None and (n in found or n.domain == DOMAIN) for n in nearest):
                found.add(node)
    return found
