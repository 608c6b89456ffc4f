"""The documentation points at things that exist: files, commands, options, Python."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import kernel_table
from support.tools import unavailable

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    folders = "bdnet|export|runtime|devices|tests|docs|examples|release|action|benchmarks|cmake"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_left_to_fill_in(page: Path) -> None:
    assert not re.search(r"^[A-Z]+_[A-Z]+$", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_parse(page: Path) -> None:
    for block in _blocks(page, "python"):
        ast.parse(block)


def test_every_table_of_kernels_can_be_compared_with() -> None:
    from bdnet_export.contestants import ISAS

    page = (ROOT / "docs/performance.md").read_text()
    (table,) = re.findall(r"^\| `isa` \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(ISAS)
    assert kernel_table.instruction_sets() == set(ISAS)


def test_the_readme_uses_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    used: dict[str, set[str]] = {}
    for command, arguments in re.findall(r"^bdnet-export (\w+)(.*)$", text, re.MULTILINE):
        used.setdefault(command, set()).update(re.findall(r"--[\w-]+", arguments))
    assert used.keys() >= {"export", "validate", "bench", "inspect"}
    for command, options in used.items():
        done = subprocess.run(
            [sys.executable, "-m", "bdnet_export.cli.main", command, "--help"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"bdnet-export {command}: {done.stderr}"
        missing = {option for option in options if option not in done.stdout}
        assert not missing, f"bdnet-export {command} has no {missing}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    mkdocs = Path(sys.executable).with_name("mkdocs")
    if not mkdocs.is_file():
        unavailable(f"mkdocs is not installed beside {sys.executable}; install bdnet[dev]")
    done = subprocess.run(
        [str(mkdocs), "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    # The reference has the public names, with what their docstrings say.
    page = (tmp_path / "api" / "bdnet_runtime" / "index.html").read_text()
    assert 'id="bdnet_runtime.create_session"' in page
    assert "intra-op threads" in page
