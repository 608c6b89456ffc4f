"""Runs a job of this project's workflow here: its steps, taken from the file, in a fresh clone.

The clone is of what is committed, with a new virtual environment as its Python and what
``make wheels`` left in dist, as the job before would have. Steps that use another action are left
out. Needs root where a step installs packages.

Usage: [TORCH_INDEX_URL=...] python release/try_workflow.py JOB
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bdnet_runtime import InputError  # noqa: E402
from support.workflow_steps import job_steps  # noqa: E402

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def main(job: str) -> None:
    steps = job_steps(WORKFLOW, job)
    with tempfile.TemporaryDirectory(prefix="bdnet-workflow-") as temporary:
        clone, environment = Path(temporary) / "bdnet", Path(temporary) / "python"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        if (ROOT / "dist").is_dir():
            shutil.copytree(ROOT / "dist", clone / "dist")
        venv.create(environment, with_pip=True)
        env = {"PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}", "CI": "true"}
        values = {"vars.TORCH_INDEX_URL": os.environ.get("TORCH_INDEX_URL", "")}
        for step in steps:
            done = step.run(clone, values, env)
            print(f"== {step.name}\n{done.stdout}{done.stderr}", flush=True)
            if done.returncode:
                sys.exit(f"try_workflow: {step.name} ended with {done.returncode}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(f"try_workflow: {error}")
