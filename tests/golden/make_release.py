"""Writes the golden files of this version of bdnet: what later ones must load, to the same bits.

Run once for each release, before it is tagged; docs/compatibility.md says what they promise.

Usage: python tests/golden/make_release.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet.deployment import deploy_module
from bdnet.layers import BinaryConv2d
from bdnet.linear import BinaryLinear, TernaryLinear
from bdnet.zoo import checkpoint_path, held_out_images
from bdnet_export.model_file import load_model
from bdnet_export.opset import OPERATORS
from bdnet_export.per_image import nodes
from support.golden import EXPECTED, FOLDER
from support.networks import TINY_SHAPE, tiny_network, unsettle

IMAGES = 3

Values = dict[str, npt.NDArray[Any]]


class Linears(nn.Module):
    """Linear layers of signs: [N, 37] -> [N, 11]."""

    def __init__(self) -> None:
        super().__init__()
        self.binary = BinaryLinear(37, 23, learned_shift=True)
        self.ternary = TernaryLinear(23, 11)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.ternary(self.binary(x))
        return y


def fashion_mnist(path: Path) -> Values:
    """The shipped network, fused, reading image bytes."""
    checkpoint = checkpoint_path("fashion-mnist")
    network = bdnet.load(checkpoint)
    assert isinstance(network, bdnet.BDNet)
    preprocessing = bdnet.read_metadata(checkpoint).preprocessing
    assert preprocessing is not None
    bdnet_export.export(
        network, path, input_shape=(1, 28, 28), as_bytes=True, preprocessing=preprocessing
    )
    held_out = held_out_images("fashion-mnist")
    assert held_out is not None
    images = np.load(held_out)["images"][:IMAGES]
    return {
        "input": np.ascontiguousarray(images.transpose(0, 2, 3, 1)),
        **features(network, preprocessing(images)),
    }


def layers(path: Path) -> Values:
    """Every convolution and pooling as an operator of its own."""
    network = tiny_network(seed=1, pointwise=BinaryConv2d)
    bdnet_export.export(network, path, input_shape=TINY_SHAPE, fuse=False)
    images = noise(TINY_SHAPE)
    return {"input": images, **features(network, images)}


def linear(path: Path) -> Values:
    """Linear layers of signs, in a module of no network of ours."""
    torch.manual_seed(2)
    module = unsettle(Linears(), seed=2)
    bdnet_export.export(module, path, input_shape=(37,))
    x = noise((37,))
    (output,) = (value.name for value in load_model(path).graph.output)
    with torch.no_grad():
        y = deploy_module(module)(torch.from_numpy(x)).numpy()
    return {"input": x, output: y}


FILES = {"fashion-mnist": fashion_mnist, "layers": layers, "linear": linear}


def noise(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal((IMAGES, *shape)).astype(np.float32)


def features(network: bdnet.BDNet, images: npt.NDArray[np.float32]) -> Values:
    deployed = bdnet.deploy(network)
    with torch.no_grad():
        found = deployed.features(torch.from_numpy(images)).numpy()
    return {deployed.layers()[-1]: found}


def main() -> None:
    folder = FOLDER / bdnet_runtime.__version__
    folder.mkdir(parents=True, exist_ok=True)
    expected: Values = {}
    seen: set[str] = set()
    for name, write in FILES.items():
        path = folder / f"{name}.onnx"
        expected |= {f"{name}/{key}": array for key, array in write(path).items()}
        seen |= {node.op_type for node in nodes(load_model(path))}
    np.savez_compressed(folder / EXPECTED, allow_pickle=False, **expected)
    missing = {operator.name for operator in OPERATORS} - seen
    if missing:
        sys.exit(f"no golden file has {', '.join(sorted(missing))}; add one that does")


if __name__ == "__main__":
    main()
