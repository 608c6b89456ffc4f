"""What tests of training share: a small data set, and PyTorch's threads as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from support.training import write_data


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A recipe sets PyTorch's threads for the whole process; later tests get theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `support.training`'s data set, in Fashion-MNIST's files."""
    return write_data(tmp_path_factory.mktemp("data"))
