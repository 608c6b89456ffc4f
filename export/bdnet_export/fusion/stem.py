"""OrderedStem from a transposition, an OrderedConv and its batch normalisation.

Matches: Transpose (NCHW to NHWC), OrderedConv, Mul by ``bn_mul``, Add of ``bn_add``, as
`bdnet.deployment.DeployedStem` is traced.

Exact because OrderedStem is defined as this sequence, each step rounded.

Does not match: another permutation; constants that are no constants of the file or not one value
for each filter; a value between that is a graph output or read elsewhere; a result that is not its
module's output, since something of the module would be left behind it.
"""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter.pattern import MatchResult, RewriteRule

from bdnet_export.fusion.graph import attributes_of, is_constant, length
from bdnet_export.naming import is_module_output
from bdnet_export.opset import DOMAIN, VERSION


def _pattern(op: Any, image: Any, weight: Any, bn_mul: Any, bn_add: Any) -> Any:
    x = op.Transpose(image, perm=[0, 2, 3, 1])
    conv = op.OrderedConv(x, weight, _domain=DOMAIN, _outputs=["conv"])
    return op.Add(op.Mul(conv, bn_mul), bn_add, _outputs=["y"])


def _check(
    context: Any, weight: ir.Value, bn_mul: ir.Value, bn_add: ir.Value, y: ir.Value, **_: Any
) -> MatchResult:
    result = MatchResult()
    if not is_module_output(y.name):
        return result.fail("the result is not its module's output", y)
    if not all(is_constant(value) for value in (weight, bn_mul, bn_add)):
        return result.fail("weights and normalisation must be constants", y)
    filters = length(weight, 3)
    if filters is None or any(bn.shape != [filters] for bn in (bn_mul, bn_add)):
        return result.fail("the normalisation has not one value for each filter", y)
    return result


def _rewrite(
    op: Any,
    image: ir.Value,
    weight: ir.Value,
    bn_mul: ir.Value,
    bn_add: ir.Value,
    conv: ir.Value,
    y: ir.Value,
) -> Any:
    fused = op.OrderedStem(
        image, weight, bn_mul, bn_add, _domain=DOMAIN, _version=VERSION, **attributes_of(conv)
    )
    fused.producer().name = f"{y.name}/OrderedStem"
    return fused


def stem_rule() -> RewriteRule:
    """The rule; see the module."""
    return RewriteRule(_pattern, _rewrite, _check, name="OrderedStem")
