"""SeparableBlock from a depth-wise unit and the point-wise unit behind it.

Matches: two units of unit.py wherever they stand, in a `SeparableBlock`, as two `SignUnit` one
behind the other, or put together by hand; each with everything it may have or lack: binary or
ternary weights, a learned shift before the sign, a scale, a shortcut before or after the
normalisation, RPReLU, PReLU, ReLU or no activation. Around the depth-wise unit the shortcut is
averaged over its strides, around the point-wise one its channels are repeated. It reaches as far
behind the point-wise convolution as there are steps that the operator has.

Exact because SeparableBlock is defined as the same steps in the same order, each rounded. For what
a unit lacks it is given a neutral constant, and t + 0 and t * 1 are t under the contract's
equality. A shortcut that it does not have is not computed. ReLU is PyTorch's, which keeps a NaN.

What would be inside it and is needed elsewhere keeps the units apart. Which addition is whose needs
no module: a learned shift is known by its constant, whose path is the convolution's own. Any other
addition of a constant belongs to the unit it stands behind, and if it were taken for another step
of the same unit, the sum would be the same.

Does not match, and stays as it is, with the reasons below: whatever is no depth-wise convolution
with one filter a channel; one that is not followed by a 1x1 convolution of stride 1 without padding
and groups; other shortcuts; fewer or more channels, or more taps, than the operator's kernels take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from onnxscript.rewriter.pattern import RewriteRule

from bdnet.packing import PACKING_VERSION
from bdnet_export.fusion.graph import (
    SIGN_CONVOLUTIONS,
    NotFusedError,
    is_ours,
    layer_of,
    readers,
    shift_of,
    uses,
)
from bdnet_export.fusion.pair_checks import require_depthwise, require_pointwise, require_shortcuts
from bdnet_export.fusion.rule import anchored_rule, fresh_name, require_closed
from bdnet_export.fusion.unit import Unit, read_unit, stands_behind
from bdnet_export.opset import DOMAIN, VERSION

_NEUTRAL = {"scale": 1.0, "bn_mul": 1.0, "slope": 1.0}  # the others are added: 0


@dataclass(frozen=True)
class Pair:
    """A depth-wise unit and the point-wise unit behind it."""

    depthwise: Unit
    pointwise: Unit

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        return (*self.depthwise.nodes, *self.pointwise.nodes)

    @property
    def y(self) -> ir.Value:
        return self.pointwise.y


def separable_block_rule() -> RewriteRule:
    """The rule; see the module."""
    return anchored_rule("SeparableBlock", find_pair, _rewrite)


def find_pair(conv: ir.Node) -> Pair:
    """The pair whose depth-wise convolution is ``conv``.

    Raises:
        NotFusedError: there is none, with the reason in one sentence.
    """
    require_depthwise(conv)
    depthwise = read_unit(conv)
    second = _second(depthwise)
    try:
        require_pointwise(second)
        pointwise = read_unit(second)
        require_shortcuts(depthwise, pointwise)
        assert pointwise.x is depthwise.y, f"{second.name} reads another value"
        pair = Pair(depthwise, pointwise)
        # What computes the other shortcut reads the depth-wise unit's result.
        if pointwise.adds_other and any(n not in pair.nodes for n in readers(depthwise.y)):
            raise NotFusedError(f"{layer_of(second)} behind it: {pointwise.end}")
        require_closed(pair)
    except NotFusedError as error:
        raise NotFusedError(error.reason, second) from None
    return pair


def _second(depthwise: Unit) -> ir.Node:
    """The convolution that reads what the depth-wise unit puts out."""
    following = [
        node
        for use in uses(depthwise.y)
        # A learned shift stands between.
        for node in ([use] if use.domain == DOMAIN else uses(use.outputs[0]))
        if is_ours(node, *SIGN_CONVOLUTIONS) and (node is use or shift_of(node) is use)
    ]
    if len(following) == 1:
        return following[0]
    # Without an end the unit ends at a learned shift; here it is that of a linear layer.
    linear = [node for use in uses(depthwise.y) for node in uses(use.outputs[0])]
    raise NotFusedError(depthwise.end or stands_behind(linear))


def _block_of(pair: Pair) -> str:
    """The path of the block that both units are in or, where there is none, of the second layer."""
    paths = [layer_of(unit.conv) for unit in (pair.depthwise, pair.pointwise)]
    block = paths[0].removesuffix(".depthwise")
    inside = [f"{block}.depthwise", f"{block}.pointwise"]
    return block if paths == inside else paths[1] or "graph"


def _rewrite(op: Any, found: Pair) -> ir.Value:
    graph = found.depthwise.conv.graph
    assert isinstance(graph, ir.Graph)
    block = _block_of(found)
    made: dict[float, ir.Value] = {}

    def constant(unit: Unit, name: str) -> ir.Value:
        if name in unit.constants:
            return unit.constants[name]
        neutral = _NEUTRAL.get(name, 0.0)
        if neutral not in made:
            suffix = f".{len(made) + 1}" if made else ""
            path = fresh_name(graph, f"{block}/Constant{suffix}")
            made[neutral] = op.Constant(value_floats=[neutral], _outputs=[path])
            made[neutral].producer().name = path  # type: ignore[union-attr]
        return made[neutral]

    names = ("weight", "shift", "scale", "bn_mul", "bn_add", "shift_in", "slope", "shift_out")
    depthwise, pointwise = found.depthwise, found.pointwise
    attributes = depthwise.attributes
    spatial = ("kernel_shape", "strides", "pads", "dilations", "pad_value")
    fused: ir.Value = op.SeparableBlock(
        depthwise.x,
        *(constant(unit, name) for unit in (depthwise, pointwise) for name in names),
        **{name: attributes[name] for name in spatial},
        channels=attributes["group"],
        depthwise_residual=depthwise.residual,
        depthwise_rectify=int(depthwise.rectify),
        pointwise_residual=pointwise.residual,
        pointwise_rectify=int(pointwise.rectify),
        packing_version=PACKING_VERSION,
        _domain=DOMAIN,
        _version=VERSION,
    )
    node = fused.producer()
    assert node is not None
    node.name = fresh_name(graph, f"{block}/SeparableBlock")
    return fused
