"""Fusion: the graph of single operators becomes one of fused operators, with the same bits.

Each rule is an onnxscript rewrite in a file of its own, whose docstring says what it matches, why
the result is the same, and what keeps it from matching. Rules read the names that naming.py gives:
a part is fused from one module's output to another's, so nothing of the module before or behind it
is taken, and what a fused node puts out keeps its module's name.
"""

from __future__ import annotations

import onnx_ir.passes.common
from onnx_ir import Model
from onnxscript.rewriter.pattern import RewriteRuleSet

from bdnet_export.fusion.separable_block import separable_block_rules
from bdnet_export.fusion.stem import stem_rule

__all__ = ["fuse"]


def fuse(model: Model) -> int:
    """Replaces what the rules match, in place; returns how many fused nodes that gave.

    Args:
        model: of single operators, its nodes and values named by `naming.name_by_module`. Graph
            outputs, values that something else reads, and initialisers stay as they are.
    """
    count: int = RewriteRuleSet([stem_rule(), *separable_block_rules()]).apply_to_model(model)
    # Constants that only the nodes now gone have read, such as the ends of a slice.
    onnx_ir.passes.common.RemoveUnusedNodesPass()(model)
    return count
