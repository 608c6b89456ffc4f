"""The float twin as a .tflite file: TensorFlow's converter makes it, and it is the same network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from ai_edge_litert.interpreter import Interpreter

import bdnet_export
from bdnet import BDMobileNetV1, InputError
from bdnet_export.model_file import load_model
from bdnet_export.speed import Setting, SpeedQuestion, contest
from bdnet_export.twins import float_twin, lite_twin
from bdnet_export.twins.lite_twin import TENSORFLOW
from support.tools import unavailable

CACHE = Path(__file__).parents[2] / ".cache" / "converter"
SHAPE = (2, 20, 14)
STRIDES = [1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lite") / "model.onnx"
    network = BDMobileNetV1(width=0.25, num_classes=7, in_channels=2, strides=STRIDES)
    bdnet_export.export(network, path, input_shape=SHAPE)
    return path


def quiet(stage: str, fraction: float) -> None:
    pass


def test_it_computes_what_the_float_twin_does(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))  # kept between runs of the tests
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise RuntimeError('of the working folder')")
    twin = float_twin(load_model(exported), exported)
    path = tmp_path / "twin.tflite"
    try:
        lite_twin(twin, 3, path, quiet)
    except InputError as error:
        if "cannot be installed" not in str(error):
            raise
        unavailable(str(error))
    images = np.random.default_rng(5).standard_normal((3, *SHAPE)).astype(np.float32)
    session = ort.InferenceSession(twin.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"image": images})
    lite = Interpreter(str(path))
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], images.transpose(0, 2, 3, 1))
    lite.invoke()
    got = lite.get_tensor(lite.get_output_details()[0]["index"])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    convolutions = [
        operator["op_name"]
        for operator in lite._get_ops_details()
        if operator["op_name"].endswith("CONV_2D")
    ]
    assert convolutions == ["CONV_2D", *["DEPTHWISE_CONV_2D", "CONV_2D"] * 13]


def test_a_file_is_made_for_each_batch(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))
    settings = [Setting(1, 1), Setting(2, 1), Setting(1, 4)]
    try:
        with contest(SpeedQuestion(exported, ["tflite"], settings)) as prepared:
            lite = [one for name, _, one in prepared.contestants if name == "tflite"]
            inputs = [Interpreter(str(one.model)).get_input_details()[0] for one in lite]
    except InputError as error:
        unavailable(str(error))
    assert [(one.options.threads, one.options.batch) for one in lite] == [(1, 1), (2, 1), (1, 4)]
    assert not any(one.options.use_library for one in lite)
    assert [list(each["shape"]) for each in inputs] == [
        [1, 20, 14, 2],
        [1, 20, 14, 2],
        [4, 20, 14, 2],
    ]


def test_a_damaged_environment_is_one_sentence(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    (tmp_path / "bdnet" / "converter" / f"{TENSORFLOW}-{python}").mkdir(parents=True)
    twin = float_twin(load_model(exported), exported)
    with pytest.raises(InputError, match=r"No module named .*; if its folder is damaged, remove"):
        lite_twin(twin, 1, tmp_path / "twin.tflite", quiet)
    assert not (tmp_path / "twin.tflite").exists()
