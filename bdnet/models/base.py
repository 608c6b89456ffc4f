"""What every network here is: a stem and a body that end in a float head."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bdnet.units import Head, Stem


class Network(nn.Module):
    """A network of three parts that a checkpoint can rebuild.

    Args:
        stem: image [N, C, H, W] -> [N, c, h, w], in float.
        body: [N, c, h, w] -> features [N, C, h, w]: the layers of signs and what stands between.
        head: features -> logits [N, classes], in float.
        config: the keyword arguments that make the same network again; kept in checkpoints.
    """

    stem: nn.Module
    body: nn.Module
    head: Head

    def __init__(
        self, stem: nn.Module, body: nn.Module, head: Head, config: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.head = head
        self.config = config or {}

    def features(self, image: Tensor) -> Tensor:
        """What the head reads: [N, C, h, w]."""
        return self.body(self.stem(image))  # type: ignore[no-any-return]

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image))  # type: ignore[no-any-return]


class BDNet(Network):
    """A network whose body is `SignUnit` and `SeparableBlock` in sequence: one binary region.

    Its parity is equality from the image to the features, and its body is fused block by block.
    """

    stem: Stem
    body: nn.Sequential

    def __init__(
        self, stem: Stem, body: nn.Sequential, head: Head, config: dict[str, Any] | None = None
    ) -> None:
        super().__init__(stem, body, head, config)
