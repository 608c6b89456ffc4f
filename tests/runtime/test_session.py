"""create_session, get_library_path and info: what they give, and how they say no."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import bdnet_runtime
from bdnet_runtime import InputError, create_session, get_library_path, info, library, session
from bdnet_runtime.info import _library_info_model
from support import plain_models
from support.tools import unavailable


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return plain_models.write(plain_models.conv_relu(), tmp_path / "model.onnx")


@pytest.fixture
def built_library() -> str:
    try:
        return get_library_path()
    except InputError as error:
        unavailable(str(error))


def test_a_session_is_onnxruntimes_own(model: Path) -> None:
    created = create_session(model, threads=2, use_library=False)
    assert type(created) is onnxruntime.InferenceSession
    assert created.get_providers() == ["CPUExecutionProvider"]
    options = created.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    (y,) = created.run(None, {"x": np.zeros((5, 3, 16, 16), np.float32)})
    assert y.shape == (5, 8, 14, 14)


def test_path_text_and_bytes_give_the_same(model: Path) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 16, 16), dtype=np.float32)
    results = [
        create_session(given, use_library=False).run(None, {"x": x})[0]
        for given in (model, str(model), model.read_bytes())
    ]
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist; expected an .onnx file"),
        ("folder", "is a folder; expected an .onnx file"),
        (b"not a model", "is not a model that ONNX Runtime"),
        (b"", "is not a model that ONNX Runtime"),
    ],
    ids=["missing", "folder", "other content", "empty"],
)
def test_an_unreadable_model_is_one_sentence_with_its_path(
    tmp_path: Path, content: bytes | str | None, says: str
) -> None:
    path = tmp_path / "model.onnx"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        create_session(path, use_library=False)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert says in sentence
    assert "\n" not in sentence
    assert "ONNXRuntimeError" not in sentence


def test_unreadable_bytes_are_one_sentence() -> None:
    with pytest.raises(InputError, match=r"^the model given as bytes is not a model that"):
        create_session(b"not a model", use_library=False)


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_model_has_the_name_that_the_caller_gives(tmp_path: Path, as_bytes: bool) -> None:
    path = tmp_path / "part.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"^whole\.onnx is not a model") as caught:
        create_session(
            path.read_bytes() if as_bytes else path, use_library=False, name="whole.onnx"
        )
    assert str(path) not in str(caught.value)


def _newer_format() -> onnx.ModelProto:
    model = plain_models.conv_relu()
    model.ir_version = 99
    return model


def _truncated_weight() -> onnx.ModelProto:
    model = plain_models.conv_relu()
    weight = model.graph.initializer[0]
    weight.raw_data = weight.raw_data[:-1]
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [(_newer_format(), "Unsupported model IR version: 99"), (_truncated_weight(), "'w'")],
    ids=["newer format", "truncated weight"],
)
def test_what_onnxruntime_says_comes_without_where_in_its_source(
    model: onnx.ModelProto, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        create_session(model.SerializeToString(), use_library=False)
    sentence = str(caught.value)
    assert says in sentence
    assert ".cc" not in sentence
    assert "::" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : /src/core/model.cc:256 ns::Model::Model(std::function"
            "<void(int)>&&, const ns::List*) Unsupported version: 99 (of 14)\n",
            "Unsupported version: 99 (of 14)",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : utils.cc:17 Check Tensor 'w': size (863 bytes)",
            "Tensor 'w': size (863 bytes)",
        ),
        (
            "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: "
            "/src/graph.h:9 int ns::Node::Find(const string&) const x.has_value() was false. Bad w",
            "x.has_value() was false. Bad w",
        ),
        (
            "Node (a) Op (B) Inference error(s): (op_type:Slice, node name: begin): Input 0 is "
            "null (op_type:Add, node name: end): Input 1 is null",
            "Node (a) Op (B) Inference error(s): (op_type:Slice, node name: begin): Input 0 is "
            "null",
        ),
        ("ai.bdnet.BinaryConv 'a/b': 63 channels.", "ai.bdnet.BinaryConv 'a/b': 63 channels"),
    ],
)
def test_only_what_a_user_can_read_is_kept_of_a_message(said: str, kept: str) -> None:
    assert session.reason(RuntimeError(said)) == kept


def test_operators_without_bodies_ask_for_the_library() -> None:
    model = plain_models.custom_operator_without_body().SerializeToString()
    with pytest.raises(InputError, match="no bodies for its custom operators, so use the library"):
        create_session(model, use_library=False)


@pytest.mark.parametrize("threads", [0, 1025, 3_000_000_000])
def test_a_thread_count_that_no_machine_has_is_refused(model: Path, threads: int) -> None:
    with pytest.raises(InputError, match=f"threads is {threads}; expected 1 to 1024"):
        create_session(model, threads=threads, use_library=False)


def test_a_missing_library_says_how_to_build_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "LIBRARY_NAME", "libbdnet_elsewhere.so")
    with pytest.raises(InputError, match=r"libbdnet_elsewhere\.so.*build it with 'pip install"):
        create_session(model)


def test_a_library_that_does_not_load_is_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "libbroken.so"
    broken.write_text("not a library")
    monkeypatch.setattr(session, "get_library_path", lambda: str(broken))
    with pytest.raises(InputError, match=r"ONNX Runtime .* cannot use .*libbroken\.so: ") as caught:
        create_session(model)
    assert str(caught.value).count(str(broken)) == 1


def test_info_names_what_a_result_depends_on(built_library: str) -> None:
    found = info()
    assert found["library"] == built_library
    assert found["isa"]
    assert found["library_version"]
    assert found["onnxruntime"] == onnxruntime.__version__
    assert found["numpy"] == np.__version__
    assert found["bdnet"] == bdnet_runtime.__version__
    assert {"python", "platform"} <= found.keys()


def test_the_model_written_by_hand_is_what_onnx_reads() -> None:
    """The runtime has no onnx package to write its one-node model with."""
    model = onnx.ModelProto.FromString(_library_info_model())
    (node,) = model.graph.node
    assert (node.domain, node.op_type, list(node.output)) == ("ai.bdnet", "LibraryInfo", ["info"])
    (output,) = model.graph.output
    expected = onnx.helper.make_tensor_value_info("info", onnx.TensorProto.STRING, [1])
    assert output == expected
    assert {(o.domain, o.version) for o in model.opset_import} == {("", 18), ("ai.bdnet", 1)}
