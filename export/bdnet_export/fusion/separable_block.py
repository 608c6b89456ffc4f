"""SeparableBlock from a depth-wise unit and the point-wise unit behind it.

Matches: two units of unit.py, as `bdnet.deployment.DeployedBlock` is traced, with everything each
of them may have or lack: binary or ternary weights, a learned shift before the sign, a scale, a
residual before or after the normalisation, RPReLU, PReLU, ReLU or no activation; around the
depth-wise unit a shortcut averaged over its strides, around the point-wise one a shortcut whose
channels are repeated.

Exact because SeparableBlock is defined as the same steps in the same order, each rounded. For what
a unit lacks it is given a neutral constant, and t + 0 and t * 1 are t under the contract's
equality. A shortcut that it does not have is not computed.

Does not match, and stays as it is: a first unit that is not depth-wise with one filter a channel;
a second one that is no 1x1 convolution of stride 1 without padding and groups; constants that are
no initialisers or not one value for each channel; a shortcut over other windows than the strides,
or one that averages channels; lengths that are not known; fewer or more channels, or more taps,
than the operator's kernels take; a value between that is a graph output or read elsewhere; units
that by the names of their outputs are not one block's (validation goes by those names, and what the
module in front adds last could be taken for a learned shift).
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import onnx_ir as ir
from onnxscript.rewriter.pattern import (
    ANY_VALUE,
    MatchResult,
    OrValue,
    RewriteRule,
    Var,
)

from bdnet.packing import PACKING_VERSION
from bdnet_export.fusion.graph import attributes_of, length, numbers
from bdnet_export.fusion.unit import ENDINGS, Unit, unit_pattern
from bdnet_export.naming import is_module_output
from bdnet_export.opset import DOMAIN, VERSION

# The limits of the operator, see runtime/include/bdnet/separable_block.h.
_CHANNELS = range(2, 16384)
_MOST_TAPS = 127

_NEUTRAL = {"scale": 1.0, "bn_mul": 1.0, "slope": 1.0}  # the others are added: 0


def separable_block_rules() -> list[RewriteRule]:
    """The rules, one for each ending of a block, each unit with a learned shift or without.

    The matcher starts at a block's last node, so each ending has a rule of its own. It takes the
    first alternative that fits and never asks whether a value is a constant, so a learned shift
    is no alternative either: the last addition of what stands in front would be taken for one
    where there is none, and a shift for the last addition. No two rules replace the same nodes.
    """
    switches = (True, False)
    return [_rule(*case) for case in product(ENDINGS, switches, switches)]


def _rule(ending: str, depthwise_shift: bool, pointwise_shift: bool) -> RewriteRule:
    def pattern(op: Any, x: Any) -> Any:
        return _pattern(op, x, ending, depthwise_shift, pointwise_shift)

    return RewriteRule(pattern, _rewrite, _check, name="SeparableBlock")


def _pattern(op: Any, x: Any, ending: str, depthwise_shift: bool, pointwise_shift: bool) -> Any:
    signs_of = op.Add(x, Var("depthwise_shift")) if depthwise_shift else x
    averaged = op.OrderedAveragePool(x, _domain=DOMAIN, _outputs=["averaged"])
    units = unit_pattern(op, "depthwise", signs_of, OrValue([averaged, x]))
    hidden = OrValue(list(units.values()), name="hidden")
    # Another pattern of what is matched already: the value by its name.
    again = Var("hidden")
    repeated = op.Concat(again, again, axis=3, _allow_other_inputs=True, _outputs=["repeated"])
    cut = op.Slice(repeated, ANY_VALUE, ANY_VALUE, ANY_VALUE, ANY_VALUE, _outputs=["cut"])
    signs_of = op.Add(hidden, Var("pointwise_shift")) if pointwise_shift else hidden
    shortcut = OrValue([cut, repeated, again])
    return unit_pattern(op, "pointwise", signs_of, shortcut)[ending]


def _check(context: Any, x: ir.Value, **found: Any) -> MatchResult:
    (y,) = context.output_values
    fault = _fault(x, y, found)
    return MatchResult() if fault is None else MatchResult().fail(fault, y)


def _fault(x: ir.Value, y: ir.Value, found: dict[str, Any]) -> str | None:
    depthwise, pointwise = Unit("depthwise", found), Unit("pointwise", found)
    block = _block(found)
    names = [f"{block}.{unit.role}" for unit in (depthwise, pointwise)]
    if not is_module_output(x.name) or [found["hidden"].name, y.name] != names:
        return "the units are not those of one block, from one module's output to another's"
    channels = depthwise.filters
    first, second = depthwise.attributes, pointwise.attributes
    if first["channels"] != 1 or first["group"] != channels or length(x, 3) != channels:
        return "the first unit is not depth-wise with one filter a channel"
    if channels not in _CHANNELS or prod(first["kernel_shape"]) > _MOST_TAPS:
        return (
            f"the operator takes {_CHANNELS[0]} to {_CHANNELS[-1]} channels and kernels of up to "
            f"{_MOST_TAPS} taps"
        )
    plain = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0, 0, 0, 0], "group": 1}
    if any(second[name] != value for name, value in plain.items()) or (
        second["channels"] != channels
    ):
        return "the second unit is not point-wise"
    if any(a["packing_version"] != PACKING_VERSION for a in (first, second)):
        return "the weights are packed otherwise"
    for unit in (depthwise, pointwise):
        fault = unit.fault(channels)
        if fault is not None:
            return f"the {unit.role} unit: {fault}"
    averaged = found.get("averaged")
    window = [1, 1] if averaged is None else attributes_of(averaged)["kernel_shape"]
    if depthwise.residual and window != first["strides"]:
        return "the shortcut does not average over the strides"
    return _repetition_fault(found)


def _block(found: dict[str, Any]) -> str:
    """The path of the module whose units were found."""
    return str(found["hidden"].name).rpartition(".")[0]


def _repetition_fault(found: dict[str, Any]) -> str | None:
    """Whether the point-wise shortcut is what SeparableBlock repeats: its length is right."""
    if found.get("repeated") is not None:
        node = found["repeated"].producer()
        if any(value is not found["hidden"] for value in node.inputs):
            return "the shortcut is put together from other values as well"
    if found.get("cut") is not None:
        start, _, axis, step = (numbers(v) for v in found["cut"].producer().inputs[1:])
        if (start, axis, step) != ([0], [3], [1]):
            return "the shortcut's channels are not the first ones"
    return None


def _rewrite(op: Any, x: ir.Value, **found: Any) -> ir.Value:
    depthwise, pointwise = Unit("depthwise", found), Unit("pointwise", found)
    block = _block(found)
    made: dict[float, ir.Value] = {}

    def constant(unit: Unit, name: str) -> ir.Value:
        value = unit[name]
        if value is not None:
            return value
        neutral = _NEUTRAL.get(name, 0.0)
        if neutral not in made:
            path = f"{block}/Constant" + (f".{len(made) + 1}" if made else "")
            made[neutral] = op.Constant(value_floats=[neutral], _outputs=[path])
            made[neutral].producer().name = path  # type: ignore[union-attr]
        return made[neutral]

    names = ("weight", "shift", "scale", "bn_mul", "bn_add", "shift_in", "slope", "shift_out")
    attributes = depthwise.attributes
    spatial = ("kernel_shape", "strides", "pads", "dilations", "pad_value")
    fused: ir.Value = op.SeparableBlock(
        x,
        *(constant(unit, name) for unit in (depthwise, pointwise) for name in names),
        **{name: attributes[name] for name in spatial},
        channels=attributes["group"],
        depthwise_residual=depthwise.residual,
        depthwise_rectify=depthwise.rectify,
        pointwise_residual=pointwise.residual,
        pointwise_rectify=pointwise.rectify,
        packing_version=PACKING_VERSION,
        _domain=DOMAIN,
        _version=VERSION,
    )
    node = fused.producer()
    assert node is not None
    node.name = f"{block}/SeparableBlock"
    return fused
