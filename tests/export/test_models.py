"""The architectures, from a few training steps to a file that is them, region by region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import bdnet
import bdnet_export
from bdnet import Network
from bdnet.layers import BinaryConv2d, SignConv2d, TernaryConv2d
from bdnet_export import random_images
from bdnet_export.model_file import load_model
from support.networks import (
    SMALL_SHAPE,
    TINY_SHAPE,
    broadcast_network,
    small_network,
    unsettle,
)

FORMS = pytest.mark.parametrize("fuse", [True, False], ids=["fused", "unfused"])


def require_equal(path: Path, model: torch.nn.Module, shape: tuple[int, int, int]) -> None:
    """Every value that must be equal is, with the library and without."""
    report = bdnet_export.validate(path, model, random_images(3, shape), layers=True)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.values_compared > 0
    assert [way.where for way in report.layers] == ["with the library", "without the library"]
    for way in report.layers:
        assert way.first_difference is None


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """The tensors are too small to share, and other work would hold two threads up."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# BDMobileNetV1 is in test_export.py and the matrix of ONNX Runtimes.
@pytest.fixture(scope="module", params=["BDMobileNetV2", "ReActNetA", "BiRealNet18"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network of which training has touched every constant, saved and loaded again."""
    model = small_network(request.param, seed=5).train()
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(2):
        images = torch.randn(8, *SMALL_SHAPE, generator=generator)
        loss = F.cross_entropy(model(images), torch.arange(8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("trained") / "m.safetensors"
    bdnet.save(unsettle(model, seed=6), path, input_shape=SMALL_SHAPE)
    return bdnet.load(path)


@FORMS
def test_every_region_is_equal(trained: Network, fuse: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    bdnet_export.export(trained, path, input_shape=SMALL_SHAPE, fuse=fuse)
    require_equal(path, trained, SMALL_SHAPE)
    found = Counter(node.op_type for node in load_model(path).graph.node)
    layers = [type(module) for module in trained.modules() if isinstance(module, SignConv2d)]
    # MobileNet V2's first block, which expands nothing, is a SeparableBlock: one layer of each.
    blocks = int(fuse and isinstance(trained, bdnet.BDMobileNetV2))
    assert found["SeparableBlock"] == blocks
    assert found["BinaryConv"] == layers.count(BinaryConv2d) - blocks
    assert found["TernaryConv"] == layers.count(TernaryConv2d) - blocks
    assert found["AveragePool"] == 0
    assert found["OrderedStem"] == fuse


@FORMS
def test_broadcast_residuals(fuse: bool, tmp_path: Path) -> None:
    """Every layer of a body whose shortcuts repeat and average channels."""
    network = broadcast_network(seed=4)
    path = tmp_path / "m.onnx"
    bdnet_export.export(network, path, input_shape=TINY_SHAPE, fuse=fuse)
    require_equal(path, network, TINY_SHAPE)
