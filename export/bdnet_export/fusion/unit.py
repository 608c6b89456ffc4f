"""The pattern of one unit, a convolution of signs with all that follows it, as it is traced.

`bdnet.deployment.DeployedUnit` writes rule 5 of the numerical contract and leaves out what a unit
does not have, so every step is there or not. Names of pattern variables begin with the unit's role.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from onnxscript.rewriter.pattern import OrValue, Var

from bdnet_export.fusion.graph import attributes_of, is_constant, length, numbers
from bdnet_export.opset import DOMAIN

ENDINGS = ("rprelu", "prelu", "relu", "post_bn", "none")
"""What a unit ends in: an activation or, where it has none, the residual or the normalisation."""


def unit_pattern(op: Any, role: str, signs_of: Any, shortcut: Any) -> dict[str, Any]:
    """The unit with each of its `ENDINGS`.

    Args:
        role: "depthwise" or "pointwise".
        signs_of: pattern of what the convolution reads.
        shortcut: pattern of what a residual adds.
    """

    def variable(name: str) -> Any:
        return Var(f"{role}_{name}")

    def named(name: str) -> dict[str, Any]:
        return {"_outputs": [f"{role}_{name}"]}

    convolutions = [
        operator(signs_of, variable("weight"), _domain=DOMAIN, **named("conv"))
        for operator in (op.BinaryConv, op.TernaryConv)
    ]
    signs = OrValue(convolutions)
    scaled = OrValue([op.Mul(signs, variable("scale")), signs])
    joined = OrValue([op.Add(scaled, shortcut, **named("pre_bn")), scaled])
    normalised = op.Add(op.Mul(joined, variable("bn_mul")), variable("bn_add"))
    post_bn = op.Add(normalised, shortcut, **named("post_bn"))
    before = OrValue([post_bn, normalised], name=f"{role}_before")
    # A second pattern of what is matched already: the value by its name.
    again = Var(f"{role}_before")

    def prelu(t: Any, same: Any) -> Any:
        factor = op.Where(op.Less(t, variable("zero")), variable("slope"), variable("one"))
        return op.Mul(same, factor)

    moved = op.Add(before, variable("shift_in"), **named("moved"))
    return {
        "rprelu": op.Add(prelu(moved, variable("moved")), variable("shift_out")),
        "prelu": prelu(before, again),
        "relu": op.Where(op.Less(before, variable("zero")), variable("nothing"), again),
        "post_bn": post_bn,
        "none": normalised,
    }


@dataclass(frozen=True)
class Unit:
    """A unit that was found: what each pattern variable of ``role`` is bound to."""

    role: str
    found: Mapping[str, Any]

    def __getitem__(self, name: str) -> ir.Value | None:
        return self.found.get(f"{self.role}_{name}")

    def value(self, name: str) -> ir.Value:
        """A part that every unit has."""
        value = self[name]
        assert value is not None, f"a {self.role} unit without {name} was matched"
        return value

    @property
    def attributes(self) -> dict[str, Any]:
        """Of its convolution."""
        return attributes_of(self.value("conv"))

    @property
    def filters(self) -> int | None:
        return length(self.value("weight"), -2)

    @property
    def residual(self) -> int:
        """As the attribute of SeparableBlock: 0 none, 1 before the normalisation, 2 after it."""
        return 1 if self["pre_bn"] is not None else 2 if self["post_bn"] is not None else 0

    @property
    def rectify(self) -> int:
        return int(self["nothing"] is not None)

    def fault(self, channels: int | None) -> str | None:
        """Why SeparableBlock cannot say this unit, if it cannot.

        Args:
            channels: of what the unit reads.
        """
        filters = self.filters
        if filters is None or channels is None or not is_constant(self.value("weight")):
            return "its weights are no constant of the file"
        lengths = {"shift": channels} | dict.fromkeys(
            ("scale", "bn_mul", "bn_add", "shift_in", "slope", "shift_out"), filters
        )
        for name, expected in lengths.items():
            value = self[name]
            if value is None:
                continue
            if not is_constant(value) or value.shape not in ([expected], [1]):
                return f"{name} is no constant with one value for each channel"
        for name, number in (("zero", 0), ("nothing", 0), ("one", 1)):
            if self[name] is not None and numbers(self[name]) != [number]:
                return f"its activation has another {name} than {number}"
        if self["pre_bn"] is not None and self["post_bn"] is not None:
            return "it has two residuals"
        if self.residual:
            node = self.value("pre_bn" if self.residual == 1 else "post_bn").producer()
            assert node is not None
            left, right = (None if v is None or v.shape is None else v.shape for v in node.inputs)
            if left is None or right is None or left[1:] != right[1:]:
                return "its shortcut has another shape, so adding it repeats values"
        return None
