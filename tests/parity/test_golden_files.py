"""Files of every release load and give the same bits: docs/compatibility.md's promise."""

from __future__ import annotations

import pytest

import bdnet_runtime
from bdnet_export.metadata import read_metadata
from bdnet_export.model_file import load_model, with_outputs
from bdnet_runtime import create_session
from support.golden import RELEASES, GoldenFile, golden_files
from support.operator_cases import assert_equal


@pytest.mark.parametrize("use_library", [True, False], ids=["library", "bodies"])
@pytest.mark.parametrize("golden", golden_files(), ids=str)
def test_the_same_bits(golden: GoldenFile, use_library: bool) -> None:
    names = [*golden.values]
    # The file itself loads; and once more to see into it.
    session = create_session(golden.path, use_library=use_library)
    session = create_session(with_outputs(load_model(golden.path), names), use_library=use_library)
    inputs = {session.get_inputs()[0].name: golden.input}
    for name, found in zip(names, session.run(names, inputs), strict=True):
        assert_equal(golden.values[name], found, f"{golden}, {name}")


@pytest.mark.parametrize("golden", golden_files(), ids=str)
def test_what_the_file_says_of_itself_is_read(golden: GoldenFile) -> None:
    metadata = read_metadata(load_model(golden.path), golden.path)
    assert metadata.version == golden.path.parent.name


def test_this_release_has_golden_files() -> None:
    assert bdnet_runtime.__version__ in [folder.name for folder in RELEASES], (
        "write them: python tests/golden/make_release.py"
    )
