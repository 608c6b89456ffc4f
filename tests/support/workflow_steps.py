"""The steps of a GitHub action or workflow, run here: as much of GitHub's runner as ours need.

Expressions ``${{ NAME }}`` are looked up in a table; steps that use another action are left out.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bdnet_runtime import InputError


@dataclass(frozen=True)
class Step:
    """A step with a script.

    Args:
        env: with expressions as they are written.
        folder: where it runs, below the runner's.
    """

    name: str
    script: str
    env: dict[str, str]
    folder: str = "."

    def run(
        self,
        folder: Path,
        values: Mapping[str, str],
        env: Mapping[str, str],
    ) -> subprocess.CompletedProcess[str]:
        """Runs the script in ``folder``, as GitHub runs those of the shell bash.

        Args:
            values: of the expressions, by what stands between the braces.
            env: of the runner itself, on top of this process's.
        """
        own = {name: expand(text, values) for name, text in self.env.items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.script],
            cwd=folder / self.folder,
            env={**os.environ, **env, **own},
            capture_output=True,
            text=True,
        )


def expand(text: str, values: Mapping[str, str]) -> str:
    """``text`` with the values of its expressions. Raises KeyError where one is not known."""
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: values[found[1]], text)


def action_steps(path: Path) -> list[Step]:
    """The steps of a composite action that have a script."""
    action: dict[str, Any] = yaml.safe_load(path.read_text())
    return _steps(action["runs"]["steps"], {})


def job_steps(path: Path, job: str) -> list[Step]:
    """The steps of a workflow's job that have a script."""
    workflow: dict[str, Any] = yaml.safe_load(path.read_text())
    jobs = workflow["jobs"]
    if job not in jobs:
        raise InputError(f"{path} has no job {job!r}; it has {', '.join(jobs)}")
    return _steps(jobs[job]["steps"], workflow.get("env", {}))


def _steps(steps: list[dict[str, Any]], env: dict[str, str]) -> list[Step]:
    return [
        Step(
            step["name"],
            step["run"],
            {name: str(value) for name, value in (env | step.get("env", {})).items()},
            step.get("working-directory", "."),
        )
        for step in steps
        if "run" in step
    ]


def action_inputs(path: Path, **given: str) -> dict[str, str]:
    """The values of an action's inputs: its defaults, and what is given (``_`` for ``-``)."""
    inputs: dict[str, Any] = yaml.safe_load(path.read_text())["inputs"]
    chosen = {name.replace("_", "-"): value for name, value in given.items()}
    unknown = chosen.keys() - inputs.keys()
    assert not unknown, f"the action has no inputs {unknown}"
    return {
        f"inputs.{name}": chosen.get(name, str(spec.get("default", "")))
        for name, spec in inputs.items()
    }
