"""What every network here is: a float stem, a body of signs, a float head."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bdnet.units import Head, Stem


class BDNet(nn.Module):
    """A network of three parts, which is what `bdnet.deploy` and the exporter rely on.

    Args:
        stem: image [N, C, H, W] -> [N, c, h, w], in float.
        body: `SignUnit` and `SeparableBlock`, in sequence: the part whose parity is equality.
        head: features -> logits [N, classes], in float.
        config: the keyword arguments that make the same network again; kept in checkpoints.
    """

    def __init__(
        self, stem: Stem, body: nn.Sequential, head: Head, config: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.head = head
        self.config = config or {}

    def features(self, image: Tensor) -> Tensor:
        """What leaves the body of signs: [N, C, h, w]."""
        return self.body(self.stem(image))  # type: ignore[no-any-return]

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image))  # type: ignore[no-any-return]
