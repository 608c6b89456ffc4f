"""Files that read images of any size: the same bits as PyTorch at each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import BDNet, InputError, Preprocessing
from bdnet.layers import BinaryConv2d, TernaryConv2d
from bdnet.units import Head, SeparableBlock, SignUnit, Stem
from bdnet_export import random_images
from bdnet_export.dynamic_size import at_size
from bdnet_export.images import ImageSet, load_images
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import load_model, with_outputs
from bdnet_export.opset import DOMAIN
from bdnet_export.per_image import nodes
from support.networks import TINY_SHAPE, tiny_network
from support.operator_cases import assert_equal
from support.ort_environments import installed_version, run_jobs

# Odd and even, smaller and larger than the example, a pixel, a row and a column.
SIZES = ((11, 9), (1, 1), (2, 3), (16, 16), (31, 17), (1, 40), (33, 1))
PREPROCESSING = Preprocessing((0.485, 0.456), (0.229, 0.225))
OPTIONS: dict[str, dict[str, Any]] = {
    "fused": {},
    "unfused": {"fuse": False},
    "one image": {"dynamic_batch": False},
    "two images, bytes": {
        "dynamic_batch": False,
        "batch": 2,
        "as_bytes": True,
        "preprocessing": PREPROCESSING,
    },
}


def exported(folder: Path, network: BDNet, **options: Any) -> Path:
    path = folder / "any.onnx"
    arguments = {"input_shape": TINY_SHAPE, "dynamic_size": True} | options
    bdnet_export.export(network, path, **arguments)
    return path


def expected_features(network: BDNet, path: Path, images: np.ndarray) -> np.ndarray:
    read = read_metadata(load_model(path), path).network_input(images)
    with torch.no_grad():
        return bdnet.deploy(network).features(torch.from_numpy(read)).numpy()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_size_is_equal(options: dict[str, Any], tmp_path: Path) -> None:
    network = tiny_network(seed=4)
    path = exported(tmp_path, network, **options)
    model = load_model(path)
    features = read_metadata(model, path).features
    count = options.get("batch", 1) if "dynamic_batch" in options else 3
    for use_library in (True, False):
        session = bdnet_runtime.create_session(
            with_outputs(model, [features]), use_library=use_library
        )
        for size in SIZES:
            images = random_images(
                count, (TINY_SHAPE[0], *size), as_bytes=options.get("as_bytes", False)
            ).images
            expected = expected_features(network, path, images)
            (got,) = session.run([features], {"image": images})
            assert_equal(expected, got, f"{size}, library={use_library}")


@pytest.mark.parametrize("as_bytes", [False, True], ids=["floats", "bytes"])
def test_the_lengths_in_the_file_are_those_that_are_computed(
    as_bytes: bool, tmp_path: Path
) -> None:
    network = tiny_network()
    path = exported(tmp_path, network, as_bytes=as_bytes, preprocessing=PREPROCESSING)
    model = load_model(path)
    layers = read_metadata(model, path).layers
    extended = with_outputs(model, layers)
    session = bdnet_runtime.create_session(extended)
    for size in SIZES:
        images = random_images(1, (TINY_SHAPE[0], *size), as_bytes=as_bytes).images
        got = session.run(list(layers), {"image": images})
        fixed = at_size(onnx.load_from_string(extended), size)
        inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True)
        shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
            for value in inferred.graph.output
        }
        for layer, values in zip(layers, got, strict=True):
            assert shapes[layer] == list(values.shape[1:]), (layer, size)


@pytest.fixture(scope="module")
def of_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("any"), tiny_network())


@pytest.mark.parametrize("version", ["1.21.1", "1.23.2", installed_version()])
def test_every_onnx_runtime_runs_it(version: str, of_tiny: Path, tmp_path: Path) -> None:
    model = load_model(of_tiny)
    features = read_metadata(model, of_tiny).features
    del model.graph.output[:]
    (tmp_path / "features.onnx").write_bytes(with_outputs(model, [features]))
    jobs, expected = [], []
    for size in ((11, 9), (33, 20)):
        images = random_images(2, (TINY_SHAPE[0], *size)).images
        np.save(tmp_path / f"{size[0]}.npy", images)
        for optimise in (True, False):
            for library in (None, bdnet_runtime.get_library_path()):
                job = {
                    "model": str(tmp_path / "features.onnx"),
                    "input": str(tmp_path / f"{size[0]}.npy"),
                    "output": str(tmp_path / f"{size[0]}-{optimise}-{library is None}.npz"),
                    "optimise": optimise,
                    "library": library,
                }
                jobs.append(job)
                expected.append(expected_features(tiny_network(), of_tiny, images))
    results = run_jobs(version, jobs, tmp_path)
    for job, result, values in zip(jobs, results, expected, strict=True):
        assert result["error"] is None, result["error"]
        with np.load(str(job["output"])) as outputs:
            assert_equal(values, outputs["arr_0"], f"ORT {version}, {job}")


def test_the_example_leaves_no_trace(of_tiny: Path, tmp_path: Path) -> None:
    of_another = exported(tmp_path, tiny_network(), input_shape=(TINY_SHAPE[0], 24, 40))
    assert of_another.read_bytes() == of_tiny.read_bytes()


def test_as_much_is_fused_as_of_one_size(of_tiny: Path) -> None:
    operators = [node.op_type for node in nodes(load_model(of_tiny)) if node.domain == DOMAIN]
    assert operators == ["OrderedStem", "SeparableBlock", "SeparableBlock"]


def test_validation_compares_at_the_size_of_its_images(of_tiny: Path) -> None:
    network, path = tiny_network(), of_tiny
    report = bdnet_export.validate(path, network, random_images(3, (2, 8, 21)), layers=True)
    assert report.passed, report.checks
    with pytest.raises(InputError, match=r"reads float32 \[N, 2, H, W\]"):
        bdnet_export.validate(path, network, ImageSet(np.zeros((1, 3, 8, 8), np.float32), None, ""))


def flattening() -> nn.Module:
    """Its Linear is for one number of pixels."""
    unit = SignUnit(BinaryConv2d(4, 4, 3, 1, 1))
    return nn.Sequential(Stem(1, 4, 2), unit, nn.Flatten(), nn.Linear(64, 3)).eval()


def halving() -> nn.Module:
    """Half of an odd size is rounded up in its shortcut, and down in its convolution."""
    block = SeparableBlock(
        SignUnit(TernaryConv2d(4, 4, 2, 2, 0, groups=4), "pre_bn", "relu"),
        SignUnit(BinaryConv2d(4, 8, 1), "pre_bn", "relu"),
    )
    return BDNet(Stem(1, 4, 1), nn.Sequential(block), Head(8, 3)).eval()


@pytest.mark.parametrize("network", [flattening(), halving()], ids=["flatten", "shortcut"])
def test_a_network_made_for_some_sizes_is_told(network: nn.Module, tmp_path: Path) -> None:
    bdnet_export.export(network, tmp_path / "one.onnx", input_shape=(1, 8, 8))
    with pytest.raises(InputError, match=r"works for some sizes of images only"):
        bdnet_export.export(
            network, tmp_path / "any.onnx", input_shape=(1, 8, 8), dynamic_size=True
        )
    assert not (tmp_path / "any.onnx").exists()


class TwoSizes(nn.Module):
    """Any module: two images, each of a size of its own, float layers around a unit."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Stem(1, 6), nn.Conv2d(2, 6, 3, 2, 1)
        self.unit = SignUnit(BinaryConv2d(6, 6, 3, 2, 1))
        self.classifier = nn.Linear(12, 3)

    def forward(self, image: Tensor, depth: Tensor) -> Tensor:
        maps = [self.unit(self.first(image)), self.unit(self.second(depth))]
        return self.classifier(torch.cat([one.mean((2, 3)) for one in maps], 1))


def test_any_module_takes_any_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, path = TwoSizes().eval(), tmp_path / "any.onnx"
    shapes = [(1, 12, 10), (2, 8, 8)]
    bdnet_export.export(module, path, input_shape=shapes, dynamic_size=True)
    generator = np.random.default_rng(0)
    for given in (shapes, [(1, 31, 17), (2, 5, 20)]):
        images = [generator.standard_normal((2, *one), dtype=np.float32) for one in given]
        report = bdnet_export.validate_module(path, module, images)
        assert report.passed, report.checks


def test_images_keep_their_size_if_it_is_one(tmp_path: Path) -> None:
    from PIL import Image

    for name, size in (("a", (8, 6)), ("b", (8, 6))):
        Image.new("RGB", size, (255, 0, 0)).save(tmp_path / f"{name}.png")
    found = load_images(tmp_path, input_shape=(3, None, None), preprocessing=None)
    assert found.images.shape == (2, 3, 6, 8)
    Image.new("RGB", (5, 5)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"several sizes \(a.png is 6 x 8, c.png 5 x 5\)"):
        load_images(tmp_path, input_shape=(3, None, None), preprocessing=None)
