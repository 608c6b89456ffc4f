"""What tests of training leave as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A recipe sets PyTorch's threads for the whole process; later tests get theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
