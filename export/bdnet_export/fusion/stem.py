"""OrderedStem from a transposition, an OrderedConv and its batch normalisation.

Matches: Transpose (NCHW to NHWC), OrderedConv, Mul by ``bn_mul``, Add of ``bn_add``, as
`bdnet.deployment.DeployedStem` is traced, wherever it stands.

Exact because OrderedStem is defined as this sequence, each step rounded.

Does not match, with the reasons below: what it reads is already in NHWC, since a layer of ours made
it; the transposed image is read by another layer as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from onnxscript.rewriter.pattern import RewriteRule

from bdnet_export.fusion.graph import (
    NotFusedError,
    attributes_of,
    describe,
    is_channel_constant,
    is_constant,
    is_operator,
    is_ours,
    length,
    operand,
    other_operand,
    uses,
)
from bdnet_export.fusion.rule import anchored_rule, fresh_name, require_closed
from bdnet_export.layout import TO_LAST, is_transpose
from bdnet_export.opset import DOMAIN, VERSION


@dataclass(frozen=True)
class _Stem:
    """A stem: the image [N, C, H, W], its nodes and constants, and what it puts out."""

    image: ir.Value
    conv: ir.Node
    bn_mul: ir.Value
    bn_add: ir.Value
    nodes: tuple[ir.Node, ...]
    y: ir.Value


def stem_rule() -> RewriteRule:
    """The rule; see the module."""
    return anchored_rule("OrderedStem", find_stem, _rewrite)


def find_stem(conv: ir.Node) -> _Stem:
    """The stem whose convolution is ``conv``; raises `NotFusedError`, with the reason."""
    if not is_ours(conv, "OrderedConv"):
        raise NotFusedError(f"{conv.op_type} is no convolution of a stem")
    move = operand(conv, 0).producer()
    if move is None or not is_transpose(move, TO_LAST):
        source = "an input" if move is None else describe(move)
        raise NotFusedError(
            f"it reads {source} in NHWC, and the fused operator reads an image in NCHW"
        )
    others = [node for node in uses(move.outputs[0]) if node is not conv]
    if others:
        raise NotFusedError(
            f"its image is read in NHWC by {describe(others[0])} as well, and one transposition "
            "serves both"
        )
    filters = length(operand(conv, 1), 3)
    product = _only(conv.outputs[0], "Mul", filters)
    total = _only(product.outputs[0], "Add", filters)
    if not is_constant(operand(conv, 1)):
        raise NotFusedError("its weights are no constant of the file")
    stem = _Stem(
        operand(move, 0),
        conv,
        other_operand(product, conv.outputs[0]),
        other_operand(total, product.outputs[0]),
        (move, conv, product, total),
        total.outputs[0],
    )
    require_closed(stem)
    return stem


def _only(value: ir.Value, operator: str, filters: int | None) -> ir.Node:
    """The one node that reads ``value``: ``operator`` with a constant for each filter."""
    following = uses(value)
    if len(following) == 1 and is_operator(following[0], operator):
        constant = other_operand(following[0], value)
        if is_channel_constant(constant, filters):
            return following[0]
    raise NotFusedError("it is not followed by its batch normalisation alone")


def _rewrite(op: Any, found: _Stem) -> ir.Value:
    graph = found.conv.graph
    assert isinstance(graph, ir.Graph)
    fused: ir.Value = op.OrderedStem(
        found.image,
        operand(found.conv, 1),
        found.bn_mul,
        found.bn_add,
        _domain=DOMAIN,
        _version=VERSION,
        **attributes_of(found.conv),
    )
    node = fused.producer()
    assert node is not None
    path = str(found.conv.name).rpartition("/")[0] or "graph"
    node.name = fresh_name(graph, f"{path}/OrderedStem")
    return fused
