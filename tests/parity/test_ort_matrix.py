"""The first test of all: the same bits from every ONNX Runtime we support.

Versions x opsets x optimisation x with and without the library, on operators chosen for the traps
and on a whole exported network.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet_export.model_file import load_model, with_outputs
from support.networks import TINY_SHAPE, broadcast_network, small_mobilenet
from support.operator_cases import (
    Case,
    assert_equal,
    in_pytorch,
    one_node_model,
    ordered_conv_case,
    ordered_pool_case,
    ordered_stem_case,
    separable_block_case,
    sign_conv_case,
    sign_linear_case,
)
from support.ort_environments import installed_version, run_jobs

# Version -> the newest opset it knows. A fourth, 1.20, is too old and must say so.
VERSIONS = {"1.21.1": 22, "1.23.2": 23, installed_version(): 23}
OPSETS = (18, 20, 23)
SEED = 20260


def _cases() -> list[Case]:
    rng = np.random.default_rng(SEED)
    return [
        sign_conv_case(rng, ternary=ternary, channels=c, filters=m, group=g, **shape)
        for ternary in (False, True)
        for c, m, g, shape in (
            (33, 5, 1, {"kernel": (1, 1), "pads": (0, 0, 0, 0), "batch": 3}),
            (8, 3, 2, {"pad_value": -1, "dilations": (2, 1), "size": (9, 9)}),
            (1, 1, 65, {"strides": (2, 2), "pads": (1, 0, 2, 1), "pad_value": 1}),
            (7, 4, 1, {"kernel": (5, 3), "strides": (3, 2), "pads": (2, 1, 2, 1)}),
        )
    ] + [
        sign_linear_case(rng, ternary=False, channels=1030, filters=70, rows=(3,)),
        sign_linear_case(rng, ternary=True, channels=9, filters=5, rows=(2, 4)),
        ordered_conv_case(rng, channels=3, filters=33, batch=2),
        ordered_conv_case(rng, channels=1, filters=8, strides=(1, 1), dilations=(2, 2)),
        ordered_pool_case(rng, channels=33, batch=2),
        ordered_pool_case(rng, channels=7, kernel=(2, 3)),
        ordered_stem_case(rng, channels=3, filters=33, batch=2),
        separable_block_case(rng, channels=33, filters=70, strides=(2, 2), batch=2),
        separable_block_case(
            rng, channels=8, filters=8, ternary=(False, True), residual=(2, 2), pad_value=-1
        ),
        # No residual: what would be added has another shape.
        separable_block_case(
            rng, channels=9, filters=5, residual=(0, 0), rectify=(1, 1), pads=(0, 0, 0, 0)
        ),
    ]


class _Matrix:
    """Models with their inputs and the outputs that PyTorch expects, as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.models: list[tuple[str, int, Path, Path, list[Any]]] = []
        for case in _cases():
            for opset in OPSETS:
                model = one_node_model(case, opset=opset)
                self._add(f"{case}", opset, model.SerializeToString(), case.x, [in_pytorch(case)])
        self._add_network()
        self._add_broadcast_network()

    def _add(self, name: str, opset: int, model: bytes, x: Any, expected: list[Any]) -> None:
        stem = self._folder / f"model{len(self.models)}"
        stem.with_suffix(".onnx").write_bytes(model)
        np.save(stem.with_suffix(".npy"), x)
        entry = (name, opset, stem.with_suffix(".onnx"), stem.with_suffix(".npy"), expected)
        self.models.append(entry)

    def _add_network(self) -> None:
        network = small_mobilenet(seed=SEED)
        deployed = bdnet.deploy(network)
        images = np.random.default_rng(SEED).standard_normal((2, 1, 28, 28)).astype(np.float32)
        with torch.no_grad():
            features = deployed.features(torch.from_numpy(images)).numpy()
        # Of several images, which a loop goes through, and of one.
        ways = itertools.product(OPSETS, (True, False), (True, False))
        for opset, fuse, several in ways:
            form = "fused" if fuse else "unfused"
            name = f"network {form} {'of any batch' if several else 'of one image'}"
            path = self._folder / f"{name} {opset}.onnx"
            bdnet_export.export(
                network,
                path,
                input_shape=(1, 28, 28),
                opset=opset,
                fuse=fuse,
                dynamic_batch=several,
            )
            model = load_model(path)
            layer = deployed.layers()[-1]
            del model.graph.output[:]
            count = len(images) if several else 1
            extended = with_outputs(model, [layer])
            self._add(name, opset, extended, images[:count], [features[:count]])

    def _add_broadcast_network(self) -> None:
        network = broadcast_network(seed=SEED)
        deployed = bdnet.deploy(network)
        images = np.random.default_rng(SEED).standard_normal((2, *TINY_SHAPE)).astype(np.float32)
        with torch.no_grad():
            features = deployed.features(torch.from_numpy(images)).numpy()
        for opset in OPSETS:
            path = self._folder / f"broadcast {opset}.onnx"
            bdnet_export.export(network, path, input_shape=TINY_SHAPE, opset=opset)
            model = load_model(path)
            del model.graph.output[:]
            extended = with_outputs(model, [deployed.layers()[-1]])
            self._add("broadcast residuals", opset, extended, images, [features])

    def jobs(self, newest_opset: int) -> list[tuple[str, list[Any], dict[str, Any]]]:
        """(description, expected, job) for every model the version can read, four ways."""
        found = []
        for index, (name, opset, model, x, expected) in enumerate(self.models):
            if opset > newest_opset:
                continue
            for optimise in (False, True):
                for library in (None, bdnet_runtime.get_library_path()):
                    way = f"optimise={optimise} {'library' if library else 'body'}"
                    output = self._folder / f"out{index}-{optimise}-{library is None}.npz"
                    job = {
                        "model": str(model),
                        "input": str(x),
                        "output": str(output),
                        "optimise": optimise,
                        "library": library,
                    }
                    found.append((f"{name} opset {opset} {way}", expected, job))
        return found


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> _Matrix:
    return _Matrix(tmp_path_factory.mktemp("matrix"))


@pytest.mark.parametrize("version", list(VERSIONS))
def test_the_same_bits_as_pytorch(version: str, matrix: _Matrix, tmp_path: Path) -> None:
    jobs = matrix.jobs(VERSIONS[version])
    results = run_jobs(version, [job for _, _, job in jobs], tmp_path)
    for (name, expected, job), result in zip(jobs, results, strict=True):
        assert result["error"] is None, f"{name}: {result['error']}"
        with np.load(job["output"]) as outputs:
            for index, values in enumerate(expected):
                assert_equal(values, outputs[f"arr_{index}"], f"ORT {version}, {name}")


def test_an_onnx_runtime_that_is_too_old_says_so(tmp_path: Path) -> None:
    case = ordered_pool_case(np.random.default_rng(0), channels=3)
    model = tmp_path / "model.onnx"
    onnx.save(one_node_model(case), model)
    np.save(tmp_path / "x.npy", case.x)
    job = {
        "model": str(model),
        "input": str(tmp_path / "x.npy"),
        "output": str(tmp_path / "y.npz"),
        "optimise": True,
        "library": bdnet_runtime.get_library_path(),
    }
    (result,) = run_jobs("1.20.1", [job], tmp_path)
    assert "bdnet needs ONNX Runtime 1.21 or newer; this is 1.20.1" in str(result["error"])
