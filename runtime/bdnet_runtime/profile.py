"""Time by layer, from the profile that ONNX Runtime writes."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KERNEL = "_kernel_time"

Event = dict[str, Any]


@dataclass(frozen=True)
class NodeTime:
    """A node that ONNX Runtime ran; after its optimisations, so it may be several of the file's.

    Args:
        name: as in the file, or what ONNX Runtime made of it.
        operator: such as "Conv", or "ai.bdnet:TernaryConv".
        ms: median of the runs, milliseconds; ONNX Runtime measures whole microseconds.
        share: of the sum of all medians, ``between_ms`` included.
    """

    name: str
    operator: str
    ms: float
    share: float


@dataclass(frozen=True)
class Profile:
    """Where the time of a run goes.

    Args:
        runs: how many the medians are of.
        layers: in the order they ran.
        between_ms, between_share: what a run takes beyond its nodes: ONNX Runtime's own work
            between them, before and after, and the profiler's.
        total_ms: the sum of the medians. Not quite the median of the runs.
    """

    runs: int
    layers: list[NodeTime]
    between_ms: float
    between_share: float
    total_ms: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_profile(path: Path, skip: int) -> Profile:
    """Reads a profile of ONNX Runtime.

    Args:
        path: the file; it has at least one run more than ``skip``.
        skip: runs at the beginning that do not count.
    """
    events: list[Event] = json.loads(path.read_text(encoding="utf-8"))
    runs = [event for event in events if event["name"] == "model_run"]
    runs.sort(key=lambda event: int(event["ts"]))
    runs = runs[skip:]
    nodes = [event for event in events if _is_node(event)]
    nodes.sort(key=lambda event: (int(event["ts"]), -int(event["dur"])))

    operators: dict[str, str] = {}
    times: dict[str, list[float]] = defaultdict(list)
    between = []
    position = 0
    for run in runs:
        begin, end = int(run["ts"]), int(run["ts"]) + int(run["dur"])
        while position < len(nodes) and int(nodes[position]["ts"]) < begin:
            position += 1
        spent: dict[str, float] = defaultdict(float)
        free_from = begin  # a node that starts before is part of the one that runs, such as a Loop
        while position < len(nodes) and int(nodes[position]["ts"]) <= end:
            node = nodes[position]
            position += 1
            if int(node["ts"]) < free_from or node["args"]["op_name"] == "Scan":
                continue  # the nodes that a Scan runs for each image stand for themselves
            free_from = int(node["ts"]) + int(node["dur"])
            name = str(node["name"]).removesuffix(KERNEL)
            operators[name] = str(node["args"]["op_name"])
            spent[name] += int(node["dur"]) / 1000
        for name, ms in spent.items():
            times[name].append(ms)
        between.append(max((end - begin) / 1000 - sum(spent.values()), 0.0))

    medians = {name: statistics.median(ms) for name, ms in times.items()}
    between_ms = statistics.median(between)
    total = sum(medians.values()) + between_ms
    return Profile(
        len(runs),
        [NodeTime(name, operators[name], ms, ms / total) for name, ms in medians.items()],
        between_ms,
        between_ms / total,
        total,
    )


def _is_node(event: Event) -> bool:
    return event.get("cat") == "Node" and str(event["name"]).endswith(KERNEL)
