"""What of a release can be seen without building it twice (release/wheels.py, ``make wheels``)."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bdnet_devices import own_wheel
from bdnet_devices.own_wheel import digest_of_sources
from bdnet_devices.wheel_build import MACHINES
from bdnet_runtime import InputError
from support import emulated_board
from support.cpp_build import ROOT
from support.tools import unavailable


def load(name: str) -> Any:
    """A script of release/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "release" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


wheels, dockerfile = load("wheels"), load("dockerfile")


def test_the_source_distribution_has_all_that_wheels_are_made_of(tmp_path: Path) -> None:
    sources: Path = wheels.twice(wheels.source_distribution, tmp_path)
    shutil.unpack_archive(sources, tmp_path)
    tree = tmp_path / sources.name.removesuffix(".tar.gz")
    assert digest_of_sources(tree) == digest_of_sources(ROOT)
    assert not [*tree.rglob("tests")], "users need no tests of ours"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_wheel_is_fit_to_be_published(
    machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small, stripped, and by auditwheel for every system with glibc 2.28."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(emulated_board.CACHE))  # built once for all tests
    if own_wheel.source_folder() is None:
        unavailable("bdnet is not installed from its source folder")
    wheel = own_wheel.own_wheel(machine, lambda stage, fraction: None)
    wheels.check(wheel, machine)
    large = Path(shutil.copy(wheel, tmp_path))
    with large.open("ab") as file:
        file.write(bytes(1_000_000))
    with pytest.raises(InputError, match=r"bytes; expected at most 2,000,000"):
        wheels.check(large, machine)


def test_what_is_not_reproducible_is_refused(tmp_path: Path) -> None:
    def build(folder: Path) -> Path:
        (folder / "file").write_text(str(folder))
        return folder / "file"

    with pytest.raises(InputError, match="two builds gave different bytes"):
        wheels.twice(build, tmp_path)


def test_the_images_are_those_of_the_documentation_and_none_runs_as_root() -> None:
    stages = {stage.name: stage for stage in dockerfile.read_stages(ROOT / "Dockerfile")}
    page = (ROOT / "docs" / "images.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == stages.keys() - {"base"}
    for name in stages.keys() - {"base"}:
        users = [step.text for step in stages[name].instructions if step.name == "USER"]
        assert users == ["10001"], name
    image = re.search(r"the base image `(\S+)`", page)
    assert image is not None
    assert stages["base"].base == image[1]
