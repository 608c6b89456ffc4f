"""A depth-wise unit and the point-wise unit behind it are fused wherever they stand, exactly."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bdnet_export
import bdnet_runtime
from bdnet.deployment import deploy_module
from bdnet.layers import BinaryConv2d, TernaryConv2d
from bdnet.units import SignUnit
from bdnet_export.model_file import load_model
from support.by_hand import ACTIVATIONS, Parts, UnitByHand, pair_by_hand
from support.networks import unsettle
from support.operator_cases import assert_equal

C = 6
SHAPE = (C, 9, 7)


class Branches(nn.Module):
    """Every part reads the input, and its result is an output."""

    def __init__(self, parts: dict[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: part(x) for name, part in self.parts.items()}


def sign_unit(filters: int, kernel: int = 1, channels: int = C, **more: object) -> SignUnit:
    """A depth-wise unit where it has a kernel, a point-wise one where it has none."""
    residual, activation = more.pop("residual", "pre_bn"), more.pop("activation", "rprelu")
    if kernel > 1:
        more = {"groups": channels, "padding": kernel // 2} | more
    conv = BinaryConv2d(channels, filters, kernel, **more)  # type: ignore[arg-type]
    return SignUnit(conv, residual, activation)  # type: ignore[arg-type]


def by_hand() -> nn.Module:
    """A chain of pairs by hand: each ending in each place, with every part and without."""
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    chain: list[nn.Module] = []
    channels = C
    residuals = ["none", "pre_bn", "post_bn"]
    for index, (residual, activation) in enumerate(itertools.product(residuals, ACTIVATIONS)):
        first, second = (
            Parts(
                each,
                ending,
                bn=bool(rng.random() < 0.8),
                first=bool(rng.random() < 0.5),
                kind=[BinaryConv2d, TernaryConv2d][int(rng.integers(2))],
                conv={
                    "learned_shift": bool(rng.random() < 0.5),
                    "scale": bool(rng.random() < 0.7),
                    **({"stride": 2} if place == 0 and index in (4, 8) else {}),
                },
            )
            for place, (each, ending) in enumerate(
                [
                    (residual, activation),
                    (residuals[(index + index // 5) % 3], list(ACTIVATIONS)[(index * 2) % 5]),
                ]
            )
        )
        filters = channels + 1 if index % 5 == 1 else 2 * channels if index == 7 else channels
        chain.append(pair_by_hand(first, second, channels, filters))
        channels = filters
    return nn.Sequential(*chain)


def fusible() -> dict[str, tuple[nn.Module, int]]:
    """Parts that must be fused, and into how many operators."""
    shared = nn.Sequential(sign_unit(C, 3), sign_unit(C))
    no_bn = Parts(bn=False, conv={"bias": True})
    return {
        "by_hand": (by_hand(), 15),
        "lone units": (nn.Sequential(sign_unit(C, 3), sign_unit(2 * C)), 1),
        "learned shifts": (
            nn.Sequential(
                sign_unit(C, 3, activation="none", residual="none"),
                sign_unit(C, activation="none", residual="none", learned_shift=True),
                sign_unit(C, 3, activation="none", residual="none", learned_shift=True),
                sign_unit(C, activation="none", residual="none"),
            ),
            2,
        ),
        "used twice": (nn.Sequential(shared, shared), 2),
        "a sum around it": (Around(), 1),
        "half by hand": (
            nn.Sequential(sign_unit(C, 3), UnitByHand(Parts("pre_bn", "prelu"), C, C, 1)),
            1,
        ),
        "bias and no normalisation": (pair_by_hand(no_bn, no_bn, C, C), 1),
        "bare convolutions": (
            nn.Sequential(
                BinaryConv2d(C, C, 3, 1, 1, groups=C, scale=False), BinaryConv2d(C, 4, 1)
            ),
            1,
        ),
        "another activation behind": (
            nn.Sequential(sign_unit(C, 3), sign_unit(C, activation="none"), nn.Hardtanh()),
            1,
        ),
    }


class Around(nn.Module):
    """A pair inside a residual of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(sign_unit(C, 3), sign_unit(C))

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x) + x  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    parts = {name.replace(" ", "_"): part for name, (part, _) in fusible().items()}
    return unsettle(Branches(parts), 0)


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The file, fused and not."""
    folder = tmp_path_factory.mktemp("anywhere")
    paths = {True: folder / "fused.onnx", False: folder / "unfused.onnx"}
    for fuse, path in paths.items():
        bdnet_export.export(model, path, input_shape=SHAPE, fuse=fuse)
    return paths


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in load_model(path).graph.node)


def test_all_of_them_become_one_operator(files: dict[bool, Path]) -> None:
    found = operators(files[True])
    assert found["SeparableBlock"] == sum(count for _, count in fusible().values())
    assert not found.keys() & {"BinaryConv", "TernaryConv", "OrderedAveragePool"}
    unfused = operators(files[False])
    assert unfused["BinaryConv"] + unfused["TernaryConv"] == 2 * found["SeparableBlock"]


def images() -> np.ndarray:
    """Noise, and values that turn a sign or are none."""
    x = np.random.default_rng(1).standard_normal((3, *SHAPE)).astype(np.float32)
    x[0, :, 0, 0] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45]
    return x


def test_the_bits_are_pytorchs(model: nn.Module, files: dict[bool, Path]) -> None:
    with torch.no_grad():
        expected = deploy_module(model)(torch.from_numpy(images()))
    for (fuse, path), library in itertools.product(files.items(), (True, False)):
        session = bdnet_runtime.create_session(path, use_library=library)
        got = session.run(None, {"x": images()})
        for (name, want), found in zip(expected.items(), got, strict=True):
            assert_equal(want.numpy(), found, f"{name}, fused={fuse}, library={library}")


def test_names_are_unique_and_layers_are_values(files: dict[bool, Path]) -> None:
    """What is inside a fused operator is no value of the file, and no layer it claims to have."""
    graph = load_model(files[True]).graph
    names = [node.name for node in graph.node]
    values = [value for node in graph.node for value in node.output]
    assert len(set(names)) == len(names)
    assert len(set(values)) == len(values)
    assert "parts.lone_units.1/SeparableBlock" in names
    assert "parts.lone_units.1" in values
    assert "parts.lone_units.0" not in values


def test_validation_finds_its_layers(model: nn.Module, files: dict[bool, Path]) -> None:
    finite = np.random.default_rng(1).standard_normal((2, *SHAPE)).astype(np.float32)
    report = bdnet_export.validate_module(files[True], model, [finite], layers=True)
    assert report.passed, report.checks
    shown = {layer["name"] for layer in report.layers[0].layers}
    assert "parts.lone_units.1" in shown
    assert "parts.lone_units.0" not in shown


@pytest.mark.parametrize("fuse", [True, False])
def test_transpositions_stand_at_the_edges_alone(fuse: bool, files: dict[bool, Path]) -> None:
    """One in front of all parts, and one behind each."""
    graph = load_model(files[fuse]).graph
    moves = [node for node in graph.node if node.op_type == "Transpose"]
    outputs = {value.name for value in graph.output}
    assert [n.input[0] for n in moves if n.output[0] not in outputs] == ["x"]
    assert sum(node.output[0] in outputs for node in moves) == len(outputs) == len(fusible())
