"""Time by layer, from what ONNX Runtime writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bdnet_runtime.profile import read_profile


def node(name: str, operator: str, begin: int, length: int) -> dict[str, Any]:
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "ts": begin,
        "dur": length,
        "args": {"op_name": operator},
    }


def run(begin: int, length: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": begin, "dur": length}


def test_nodes_are_those_of_the_runs_that_count(tmp_path: Path) -> None:
    """The first run is skipped, and the body of a loop belongs to the loop."""
    events: list[dict[str, Any]] = [
        {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 5},
        node("a", "Conv", 10, 9000),
        run(10, 9500),
    ]
    for begin, conv in ((20_000, 1000), (30_000, 3000), (40_000, 2000)):
        events += [
            {"cat": "Node", "name": "a_fence_before", "ts": begin, "dur": 0, "args": {}},
            node("a", "Conv", begin + 10, conv),
            node("inner", "Add", begin + conv + 20, 500),
            node("loop", "Loop", begin + conv + 10, 1000),
            run(begin, conv + 1100),
        ]
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(events[::-1]))
    profile = read_profile(path, skip=1)
    assert profile.runs == 3
    assert [(layer.name, layer.operator, layer.ms) for layer in profile.layers] == [
        ("a", "Conv", 2.0),
        ("loop", "Loop", 1.0),
    ]
    assert profile.between_ms == pytest.approx(0.1)
    assert profile.total_ms == pytest.approx(3.1)
    assert [layer.share for layer in profile.layers] == pytest.approx([2 / 3.1, 1 / 3.1])
    assert profile.between_share == pytest.approx(0.1 / 3.1)


def test_what_a_loop_over_images_runs_stands_for_itself(tmp_path: Path) -> None:
    """Of all images of a run together; what the loop itself takes is between the nodes.

    A Loop that it runs goes on to count as one node.
    """
    events = [
        node("stem", "Loop", 100, 300),
        node("tap", "Mul", 150, 100),
        node("stem", "Loop", 500, 200),
        node("tap", "Mul", 550, 100),
        node("images/Scan", "Scan", 50, 1000),
        node("head", "Gemm", 1100, 100),
        run(0, 1250),
    ]
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(events))
    profile = read_profile(path, skip=0)
    assert [(layer.name, layer.ms) for layer in profile.layers] == [("stem", 0.5), ("head", 0.1)]
    assert profile.between_ms == pytest.approx(0.65)
