"""Several measurements alternately, each in a process of its own.

A machine is faster in one second than in the next: it warms up, or somebody else works on it. Where
all take turns, a slow second meets all of them, and their ratios stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdnet_devices.device import Device, Progress, TurnTaker
from bdnet_runtime import InputError
from bdnet_runtime.benchmark import BenchmarkOptions

MIN_ROUNDS = 2  # one alone has no spread


@dataclass(frozen=True)
class Contestant:
    """What is measured, and what messages call it."""

    name: str
    model: Path
    options: BenchmarkOptions


def require_rounds(rounds: int) -> None:
    """Raises `InputError` for fewer rounds than have a spread."""
    if rounds < MIN_ROUNDS:
        raise InputError(f"rounds is {rounds}; expected {MIN_ROUNDS} or more")


def take_turns(
    device: Device,
    contestants: Sequence[Contestant],
    rounds: int,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measures the contestants alternately.

    In each round everyone has one turn, of its ``options.seconds`` divided by ``rounds``, while
    the others wait. Every other round goes backwards, so that nobody always follows the same one.

    Returns:
        The result of each, in their order; its ``turns`` say which samples are of which round.

    Raises:
        InputError: fewer than two rounds, or one of them cannot be measured.
    """
    require_rounds(rounds)
    tell = progress or (lambda stage, fraction: None)
    with ExitStack() as stack:
        takers: list[tuple[Contestant, TurnTaker]] = []
        for contestant in contestants:
            stage = f"starting {contestant.name}"
            tell(stage, len(takers) / len(contestants))
            try:
                taker = device.start(contestant.model, contestant.options)
            except InputError as error:
                raise InputError(f"{contestant.name}: {error}") from None
            takers.append((contestant, stack.enter_context(taker)))
        for round_ in range(rounds):
            order = takers if round_ % 2 == 0 else takers[::-1]
            for place, (contestant, taker) in enumerate(order):
                done = (round_ + place / len(order)) / rounds
                tell(f"measuring {len(takers)} in turn", done)
                taker.turn(contestant.options.seconds / rounds)
        return [taker.finish() for _, taker in takers]
