"""Forty random networks through the converter; `tests/converter_check.py` runs any number."""

from __future__ import annotations

import pytest

import converter_check
from converter_check import Outcome, check, shrink
from support.random_modules import Plan, draw


@pytest.mark.parametrize("seed", range(40))
def test_every_region_is_equal(seed: int) -> None:
    plan, fuse = draw(seed), seed % 2 == 0
    outcome = check(plan, seed, fuse=fuse)
    if outcome.fault is not None:
        smallest = shrink(plan, seed, fuse=fuse)
        pytest.fail(f"seed {seed}, fuse {fuse}: {outcome.fault}\n{smallest}")
    assert outcome.regions >= 2
    assert outcome.values > 0


def test_a_network_that_fails_is_shrunk_to_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that needs two of the steps leaves these two."""
    plan = draw(1)
    culprits = {plan.steps[2], plan.steps[7]}

    def fails(smaller: Plan, seed: int, *, fuse: bool) -> Outcome:
        return Outcome(seed, 1, 1, 0.0, "differs" if culprits <= {*smaller.steps} else None)

    monkeypatch.setattr(converter_check, "check", fails)
    assert shrink(plan, 1, fuse=True).steps == (plan.steps[2], plan.steps[7])
