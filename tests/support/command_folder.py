"""Commands run as a user types them, in a folder with a module of the user's own."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from bdnet_export.cli.main import main
from support.result_schemas import load_valid

QUICK = ("--seconds", 0.05, "--warmup", 1)


class CommandFolder:
    """A user's folder with a module of their own, and commands run in it."""

    def __init__(self, path: Path, name: str, module: str) -> None:
        """``module``: the source of ``name``.py, which may import from ``support``.

        Each test file needs a name of its own, as Python keeps what it has imported.
        """
        self.path = path
        tests = Path(__file__).parents[1]
        (path / f"{name}.py").write_text(f"import sys\nsys.path.append({str(tests)!r})\n{module}")

    def export(self, *arguments: object) -> str:
        """Exports in a process of its own. Returns what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "bdnet_export.cli.main", "export", *map(str, arguments)],
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: object, status: int = 0) -> tuple[str, str]:
        """Runs a command here, since loading PyTorch takes seconds. Returns what it writes."""
        words, errors = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.path)
            patch.setattr(sys, "argv", ["bdnet-export", *map(str, arguments)])
            with redirect_stdout(words), redirect_stderr(errors):
                assert main() == status, words.getvalue() + errors.getvalue()
        return words.getvalue(), errors.getvalue()

    def json(self, command: str, *arguments: object) -> Any:
        """The result of a command, which is as its schema says."""
        return load_valid(command, self.run(command, *arguments, "--json", "-")[0])

    def refused(self, *arguments: object) -> str:
        """The sentence that a command ends with, with status 2."""
        sentence = self.run(*arguments, status=2)[1].splitlines()[-1]
        assert sentence.startswith("bdnet-export: ")
        return sentence
