"""Lint, format and types, as a developer's editor would show them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.tools import unavailable

ROOT = Path(__file__).parents[1]


def run(*command: str) -> None:
    """Fails with the tool's own words. Each tool is a dependency of ``bdnet[dev]``."""
    tool = Path(sys.executable).with_name(command[0])
    if not tool.is_file():
        unavailable(f"{command[0]} is not installed beside {sys.executable}; install bdnet[dev]")
    done = subprocess.run([str(tool), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", ".")])
def test_ruff(command: tuple[str, ...]) -> None:
    run(*command)


def test_types() -> None:
    run("mypy")


def test_clang_format() -> None:
    sources = [
        str(path)
        for folder in ("runtime", "tests/cpp", "tests/fuzz", "benchmarks", "examples")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".cpp", ".h", ".inc")
    ]
    assert len(sources) > 10
    run("clang-format", "--dry-run", "--Werror", *sources)


def test_dockerfile() -> None:
    run("hadolint", "Dockerfile")


def test_workflows() -> None:
    """The workflow and the action, by a linter of GitHub's syntax; their scripts by shellcheck."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    run("jactionlint", "--strict-exit", f"--shellcheck={shellcheck}")
