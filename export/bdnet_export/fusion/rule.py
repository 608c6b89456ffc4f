"""What the rules share: a rewrite that starts at a node of ours and says why it does not match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import onnx_ir as ir
from onnxscript.rewriter.pattern import MatchResult, PatternMatcher, RewriteRule

from bdnet_export.fusion.graph import NotFusedError, describe, is_output, readers


class Part(Protocol):
    """What a rule replaces: its nodes, and the one value that leaves them."""

    @property
    def nodes(self) -> Sequence[ir.Node]: ...
    @property
    def y(self) -> ir.Value: ...


def require_closed(found: Part) -> None:
    """Refuses, by `NotFusedError`, a part of which something else needs a value."""
    for node in found.nodes:
        for value in node.outputs:
            if value is found.y:
                continue
            if is_output(value):
                raise NotFusedError(
                    f"{value.name}, which would be inside the fused operator, is an output of the "
                    "network"
                )
            others = [reader for reader in readers(value) if reader not in found.nodes]
            if others:
                raise NotFusedError(
                    f"{value.name}, which would be inside the fused operator, is read by "
                    f"{describe(others[0])} as well"
                )


class AnchoredMatcher(PatternMatcher):
    """Matches what ``find`` finds from a node, and fails for the reason that it gives.

    onnxscript's own matcher starts at the last node of a pattern. Ours starts at the convolution,
    of which there is one, while what a unit ends in is of many kinds.

    Args:
        pattern: as onnxscript gives it.
        find: from a node to the part it belongs to; raises `NotFusedError`.
    """

    def __init__(self, pattern: Any, find: Callable[[ir.Node], Part]) -> None:
        super().__init__(pattern)
        self._find = find

    def match(
        self, model: ir.Model, graph_or_function: Any, node: ir.Node, **options: Any
    ) -> MatchResult:
        """The nodes found and, bound to ``found``, the part; or a failure with its reason.

        What a failure points at is the node and, where it is known, the second convolution.
        """
        result = MatchResult()
        try:
            found = self._find(node)
        except NotFusedError as error:
            second = [] if error.second is None else [error.second]
            return result.fail(error.reason, [node, *second])
        for part in found.nodes:
            result.add_node(part)
        result.bind("found", found)
        result.outputs.append(found.y)
        return result


def anchored_rule(
    name: str, find: Callable[[ir.Node], Part], rewrite: Callable[..., ir.Value]
) -> RewriteRule:
    """A rule that puts what ``rewrite(op, found)`` makes in the place of what ``find`` finds."""

    def pattern(op: Any, found: Any) -> Any:
        # Only its one output counts; the matcher says what is one.
        return op.Identity(found)

    def matcher(graph_pattern: Any) -> AnchoredMatcher:
        return AnchoredMatcher(graph_pattern, find)

    return RewriteRule(pattern, rewrite, matcher=matcher, name=name)


def fresh_name(graph: ir.Graph, name: str) -> str:
    """``name``, or with a number behind it where a node or a value of the graph has it already."""
    taken = {node.name for node in graph} | {v.name for node in graph for v in node.outputs}
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}.{count}"
    return candidate
