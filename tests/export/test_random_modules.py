"""A few random networks through the converter; `tests/converter_check.py` runs any number."""

from __future__ import annotations

import pytest

from converter_check import check, shrink
from support.random_modules import draw


@pytest.mark.parametrize("seed", range(3))
def test_every_region_is_equal(seed: int) -> None:
    plan, fuse = draw(seed), seed % 2 == 0
    outcome = check(plan, seed, fuse=fuse)
    if outcome.fault is not None:
        smallest = shrink(plan, seed, fuse=fuse)
        pytest.fail(f"seed {seed}, fuse {fuse}: {outcome.fault}\n{smallest}")
    assert outcome.regions >= 1
    assert outcome.values > 0
