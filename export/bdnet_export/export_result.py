"""What an export wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bdnet_export.fusion import LayerFusion


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote.

    Args:
        bytes: the file's size; ``seconds``: from the model to the file.
        nodes: in the file; ``custom_nodes``: those of ``ai.bdnet``; ``fused_nodes``: those of
            them that stand for several nodes of the unfused file.
        inputs: the shape of each by its name, without the batch, as the network reads it and,
            where the size is dynamic, as it was traced with; ``outputs``: their names.
        layers: for each layer, the fused node it is in, or the reason why it is in none.
    """

    path: Path
    bytes: int
    seconds: float
    nodes: int
    custom_nodes: int
    fused_nodes: int
    fallback: bool
    opset: int
    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    layers: tuple[LayerFusion, ...]
