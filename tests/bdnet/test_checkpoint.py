"""Checkpoints: what was saved is loaded, and whatever else is given is told in a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import bdnet
from bdnet import InputError, Preprocessing
from bdnet.models import NETWORKS
from support.networks import SMALL_SHAPE, small_mobilenet, small_network, tiny_network, unsettle

SHAPE = (1, 28, 28)


def test_round_trip(tmp_path: Path) -> None:
    model = small_mobilenet()
    path = tmp_path / "m.safetensors"
    preprocessing = Preprocessing((0.25,), (0.5,))
    bdnet.save(model, path, input_shape=SHAPE, preprocessing=preprocessing, training={"epochs": 3})
    loaded = bdnet.load(path)
    assert not loaded.training
    assert loaded.config == model.config
    image = torch.randn(2, *SHAPE)
    assert torch.equal(loaded(image), model(image))
    metadata = bdnet.read_metadata(path)
    assert metadata.input_shape == SHAPE
    assert metadata.preprocessing == preprocessing
    assert metadata.training == {"epochs": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_rebuilt(name: str, tmp_path: Path) -> None:
    model = unsettle(small_network(name), seed=1)
    bdnet.save(model, tmp_path / "m.safetensors", input_shape=SMALL_SHAPE)
    loaded = bdnet.load(tmp_path / "m.safetensors")
    assert type(loaded) is NETWORKS[name]
    assert loaded.config == json.loads(json.dumps(model.config))
    image = torch.randn(2, *SMALL_SHAPE)
    assert torch.equal(loaded(image), model(image))


def test_channels_last_weights_are_saved_as_what_they_are(tmp_path: Path) -> None:
    model = small_mobilenet()
    expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    bdnet.save(model, tmp_path / "m.safetensors")
    for name, tensor in bdnet.load(tmp_path / "m.safetensors").state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_pt_file(tmp_path: Path) -> None:
    model = small_mobilenet()
    text = json.dumps({"format": 1, "model": "BDMobileNetV1", "config": model.config})
    torch.save({"bdnet": text, "state_dict": model.state_dict()}, tmp_path / "m.pt")
    image = torch.randn(1, *SHAPE)
    assert torch.equal(bdnet.load(tmp_path / "m.pt")(image), model(image))


class Attack:
    """A pickle of this makes a file when it is loaded."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    torch.save({"bdnet": "{}", "state_dict": {}, "more": Attack(victim)}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="cannot be loaded with weights_only=True"):
        bdnet.load(tmp_path / "evil.pt")
    assert not victim.exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert victim.exists(), "the attack would not have worked anyway"


def _safetensors(path: Path, metadata: dict[str, str] | None) -> Path:
    save_file({"x": torch.zeros(1)}, path, metadata=metadata)
    return path


def _with_fields(path: Path, **fields: Any) -> Path:
    known = {"format": 1, "model": "BDMobileNetV1", "config": {"width": 0.25}}
    return _safetensors(path, {"bdnet": json.dumps(known | fields)})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": 9}, "has checkpoint format 9; this bdnet reads format 1"),
        ({"model": "ResNet"}, "model is 'ResNet'; this bdnet has BDMobileNetV1"),
        ({"model": "BDNet"}, "model is 'BDNet'; this bdnet has BDMobileNetV1"),
        ({"model": "Network"}, "has BDMobileNetV1, BDMobileNetV2, ReActNetA, BiRealNet18"),
        ({"model": ["ReActNetA"]}, r"model is \['ReActNetA'\]; this bdnet has"),
        ({"config": {"depth": 3}}, "configuration does not fit: .*depth"),
        ({"config": 7}, "metadata of .* cannot be read"),
        ({"config": "abc"}, "metadata of .* cannot be read"),
        ({"input_shape": "abc"}, "metadata of .* cannot be read"),
        ({"config": {"width": float("nan")}}, "width nan"),
        ({"config": {"width": float("inf")}}, "width inf"),
        ({"config": {"width": 1e9}}, "configuration does not fit"),
        ({"input_shape": [1]}, "metadata of .* cannot be read"),
        ({"preprocessing": {"mean": [0.5]}}, "preprocessing is .*; expected"),
        ({}, "the weights in .* do not fit its configuration: .*Missing key"),
    ],
)
def test_metadata_that_cannot_be(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bdnet.load(_with_fields(tmp_path / "m.safetensors", **fields))


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no checkpoint file"):
        bdnet.load(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="has weights but no bdnet configuration"):
        bdnet.load(_safetensors(tmp_path / "bare.safetensors", None))
    with pytest.raises(InputError, match=r"metadata of .* cannot be read"):
        bdnet.load(_safetensors(tmp_path / "text.safetensors", {"bdnet": "not JSON"}))
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(InputError, match="is not a readable safetensors file"):
        bdnet.load(tmp_path / "text.safetensors")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(InputError, match="cannot be loaded with weights_only=True"):
        bdnet.load(tmp_path / "text.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds no bdnet checkpoint"):
        bdnet.load(tmp_path / "list.pt")


def test_a_damaged_pickle_is_told(tmp_path: Path) -> None:
    (tmp_path / "junk.pt").write_bytes(b"\x80\x02\x58\xff")
    with pytest.raises(InputError, match="cannot be loaded with weights_only=True"):
        bdnet.load(tmp_path / "junk.pt")
    text = json.dumps({"format": 1, "model": "BDMobileNetV1", "config": {"width": 0.25}})
    torch.save({"bdnet": text, "state_dict": {1: torch.zeros(1)}}, tmp_path / "keys.pt")
    with pytest.raises(InputError, match="do not fit its configuration"):
        bdnet.load(tmp_path / "keys.pt")


def test_a_checkpoint_can_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    bdnet.save(small_mobilenet(), tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_names_and_records_that_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a checkpoint is a .safetensors file; .*m.pt is not"):
        bdnet.save(small_mobilenet(), tmp_path / "m.pt")
    with pytest.raises(InputError, match="is no JSON"):
        bdnet.save(small_mobilenet(), tmp_path / "m.safetensors", training={"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    bdnet.save(small_mobilenet(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is not a readable safetensors file"):
        bdnet.load(path)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="BDNet is not a network"):
        bdnet.save(tiny_network(), tmp_path / "m.safetensors")
    # A subclass may be anything, whatever it is called.
    theirs = type("ReActNetA", (bdnet.ReActNetA,), {})
    with pytest.raises(InputError, match=r"ReActNetA is not a network of bdnet\.models"):
        bdnet.save(theirs(width=0.1), tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="cannot be written"):
        bdnet.save(small_mobilenet(), tmp_path / "no" / "m.safetensors")
