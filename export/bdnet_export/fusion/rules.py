"""All rules, each by the operators of ours that it can start at."""

from __future__ import annotations

from onnxscript.rewriter.pattern import RewriteRule

from bdnet_export.fusion.graph import SIGN_CONVOLUTIONS, SIGN_LINEARS
from bdnet_export.fusion.separable_block import separable_block_rule
from bdnet_export.fusion.stem import stem_rule

STARTS: dict[str, RewriteRule] = {
    "OrderedConv": stem_rule(),
    **dict.fromkeys((*SIGN_CONVOLUTIONS, *SIGN_LINEARS), separable_block_rule()),
}
"""The rule for the layer that a node of this operator is of."""


def rules() -> list[RewriteRule]:
    """Each rule once."""
    return list(dict.fromkeys(STARTS.values()))
