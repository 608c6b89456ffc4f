"""Files that read image bytes: the same bits as normalising outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import bdnet
import bdnet_export
import bdnet_runtime
from bdnet import InputError, Preprocessing
from bdnet_export import random_images
from bdnet_export.byte_input import read_bytes
from bdnet_export.images import ImageSet, load_images
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import file_digest, load_model, with_outputs
from support.networks import TINY_SHAPE, tiny_network
from support.operator_cases import assert_equal
from support.ort_environments import installed_version, run_jobs

PREPROCESSING = Preprocessing((0.485, 0.456), (0.229, 0.225))
LEVELS = (False, "BASIC", "EXTENDED", True)
SCALE = np.float32(0.3)


def every_byte(channels: int) -> np.ndarray:
    """[1, 16, 16, C]: each byte in each channel."""
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    return np.ascontiguousarray(np.repeat(image, channels, axis=3))


def some_preprocessing(channels: int) -> Preprocessing:
    """Of numbers that are not short in binary, so that every step rounds."""
    rng = np.random.default_rng(channels)
    mean, std = rng.uniform(0.2, 0.7, channels), rng.uniform(0.05, 0.4, channels)
    return Preprocessing(tuple(mean.tolist()), tuple(std.tolist()))


def _scaled(x: np.ndarray) -> np.ndarray:
    return np.asarray(x * SCALE)


def _to_nhwc(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, 2, 3, 1)


# What stands behind the normalisation, where an optimiser might join the two: nothing, a product
# (there is a fusion of a division and a product), and a transposition that undoes the first.
BEHIND: dict[str, tuple[Any, Any]] = {
    "nothing": (helper.make_node("Identity", ["x"], ["y"]), lambda x: x),
    "product": (helper.make_node("Mul", ["x", "scale"], ["y"]), _scaled),
    "transpose": (helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1]), _to_nhwc),
}


@pytest.mark.parametrize("version", ["1.21.1", "1.23.2", installed_version()])
def test_every_byte_becomes_what_it_becomes_outside(version: str, tmp_path: Path) -> None:
    jobs, expected = [], []
    for channels in (1, 3, 7):
        preprocessing, image = some_preprocessing(channels), every_byte(channels)
        np.save(tmp_path / f"{channels}.npy", image)
        outside = preprocessing(image.transpose(0, 3, 1, 2))
        for behind, (node, then) in BEHIND.items():
            graph = helper.make_graph(
                [node],
                "behind",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", channels, "H", "W"])],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                [numpy_helper.from_array(SCALE.reshape(()), "scale")],
            )
            opsets = [helper.make_opsetid("", 18)]
            model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
            read_bytes(model, "x", preprocessing)
            path = tmp_path / f"{channels}-{behind}.onnx"
            onnx.save(model, path)
            for level in LEVELS:
                job = {
                    "model": str(path),
                    "input": str(tmp_path / f"{channels}.npy"),
                    "output": str(tmp_path / f"{channels}-{behind}-{level}.npz"),
                    "optimise": level,
                    "library": None,
                }
                jobs.append(job)
                expected.append(then(outside))
    results = run_jobs(version, jobs, tmp_path)
    for job, result, values in zip(jobs, results, expected, strict=True):
        assert result["error"] is None, result["error"]
        with np.load(str(job["output"])) as outputs:
            assert_equal(values, outputs["arr_0"], f"ORT {version}, {job['output']}")


@pytest.mark.parametrize(
    "way",
    [{}, {"fuse": False, "opset": 23}, {"dynamic_batch": False, "batch": 3}],
    ids=["fused", "unfused", "fixed batch"],
)
def test_a_network_of_bytes_is_the_network_of_floats(way: dict[str, Any], tmp_path: Path) -> None:
    network, path = tiny_network(seed=7), tmp_path / "bytes.onnx"
    arguments = {"input_shape": TINY_SHAPE, "preprocessing": PREPROCESSING, **way}
    bdnet_export.export(network, path, as_bytes=True, **arguments)
    model = load_model(path)
    metadata = read_metadata(model, path)
    deployed = bdnet.deploy(network)
    assert metadata.as_bytes
    assert metadata.preprocessing == PREPROCESSING
    assert metadata.constants_sha256 == deployed.digest() == file_digest(model)
    images = random_images(3, TINY_SHAPE, as_bytes=True).images
    assert (images.dtype, images.shape) == (np.uint8, (3, 11, 9, 2))
    with torch.no_grad():
        outside = torch.from_numpy(PREPROCESSING(images.transpose(0, 3, 1, 2)))
        expected = deployed.features(outside).numpy()
    for use_library in (True, False):
        session = bdnet_runtime.create_session(
            with_outputs(model, [metadata.features]), use_library=use_library
        )
        (got,) = session.run([metadata.features], {"image": images})
        assert_equal(expected, got, f"features, library={use_library}")
    report = bdnet_export.validate(path, network, ImageSet(images, None, "bytes"), layers=True)
    assert report.passed, report.checks


def test_another_normalisation_inside_is_found(tmp_path: Path) -> None:
    """The reference normalises by what the metadata says, and not by what the file does."""
    network, path = tiny_network(), tmp_path / "bytes.onnx"
    bdnet_export.export(
        network, path, input_shape=TINY_SHAPE, preprocessing=PREPROCESSING, as_bytes=True
    )
    model = load_model(path)
    (loop,) = (node for node in model.graph.node if node.op_type == "Scan")
    (mean,) = (
        node.attribute[0].t
        for node in loop.attribute[0].g.node
        if node.output[0] == "image/mean/Constant"
    )
    changed = numpy_helper.to_array(mean) * np.float32(1.01)
    mean.CopyFrom(numpy_helper.from_array(changed))
    onnx.save(model, path)
    images = random_images(8, TINY_SHAPE, as_bytes=True)
    report = bdnet_export.validate(path, network, images)
    assert report.first_difference == "stem"


def test_floats_for_a_file_of_bytes_are_told(tmp_path: Path) -> None:
    network, path = tiny_network(), tmp_path / "bytes.onnx"
    bdnet_export.export(
        network, path, input_shape=TINY_SHAPE, preprocessing=PREPROCESSING, as_bytes=True
    )
    with pytest.raises(InputError, match=r"float32 \[2, 2, 11, 9\]; .* uint8 \[N, 11, 9, 2\]"):
        bdnet_export.validate(path, network, random_images(2, TINY_SHAPE))
    np.savez(tmp_path / "floats.npz", images=np.zeros((1, *TINY_SHAPE), np.float32))
    with pytest.raises(InputError, match="is float32, but the file reads bytes"):
        load_images(
            tmp_path / "floats.npz", input_shape=TINY_SHAPE, preprocessing=None, as_bytes=True
        )


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        (None, "needs the mean and the standard deviation of each channel"),
        (Preprocessing((0.5,) * 3, (0.5,) * 3), "for 3 channels, but the network reads 2"),
        (Preprocessing((0.5,) * 2, (0.5, 1e-40)), "some bytes become no finite float32"),
    ],
)
def test_a_preprocessing_that_cannot_be_inside_is_told(
    preprocessing: Preprocessing | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        bdnet_export.export(
            tiny_network(),
            tmp_path / "m.onnx",
            input_shape=TINY_SHAPE,
            preprocessing=preprocessing,
            as_bytes=True,
        )
    assert list(tmp_path.iterdir()) == []
