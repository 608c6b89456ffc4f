"""Fusion: the graph of single operators becomes one of fused operators, with the same bits.

Each rule is an onnxscript rewrite in a file of its own, whose docstring says what it matches, why
the result is the same, and what keeps it from matching. A rule starts at a convolution of ours and
reads what follows, so it finds its part wherever it stands; that reading gives the reason, too,
where it does not match (explanation.py). What a fused node puts out keeps its name, and what is
inside it is no value of the file any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir.passes.common
from onnx_ir import Model
from onnxscript.rewriter.pattern import RewriteRuleSet

from bdnet_export.fusion.explanation import LayerFusion, explain, not_asked_for
from bdnet_export.fusion.rules import STARTS, rules

__all__ = ["Fusion", "LayerFusion", "fuse"]


@dataclass(frozen=True)
class Fusion:
    """How many fused nodes a file has, and what became of each layer, in the network's order."""

    nodes: int
    layers: tuple[LayerFusion, ...]


def fuse(model: Model, *, apply: bool = True) -> Fusion:
    """Replaces what the rules match, in place, and says what became of every layer.

    Args:
        model: of single operators, its nodes and values named by `naming.name_by_module`. Graph
            outputs, values that something else reads, and initialisers stay as they are.
        apply: without it the graph stays as it is, and the reasons are those of --no-fuse.
    """
    graph = model.graph
    order = list(graph)
    rows, fused = explain(model)
    count = 0
    if apply:
        count = RewriteRuleSet(rules()).apply_to_model(model)
        # Constants that only the nodes now gone have read, such as the ends of a slice.
        onnx_ir.passes.common.RemoveUnusedNodesPass()(model)
    made_by = {value.name: node for node in graph for value in node.outputs}
    for node, result in fused.items():
        if apply:
            rows[node] = replace(rows[node], fused_into=made_by[result].name)
        else:
            rows[node] = not_asked_for(rows[node], STARTS[node.op_type].name or "")
    return Fusion(count, tuple(rows[node] for node in order if node in rows))
