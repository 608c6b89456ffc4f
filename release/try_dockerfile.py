"""Does what the Dockerfile says where there is no container engine, as far as that goes.

Each stage becomes a folder: a Debian of the same release, unpacked by mmdebstrap, with Debian's
Python in the place of the image's. The instructions are taken from the Dockerfile itself; RUN is
carried out in the folder by chroot, in a mount namespace, as the user that the stage names. Then
the entry point of each stage that has one answers ``bench --help``. Needs root.

What that does not prove is in docs/images.md.

Usage: python release/try_dockerfile.py FOLDER [--stage NAME]... [--build-arg NAME=VALUE]...
    [--share PATH]...

--share shows a path of this machine to the commands: what its network or its pip needs. The
variables of pip and of TLS are passed on.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile import Instruction, Stage, read_stages

ROOT = Path(__file__).parents[1]
# What the image python:3.11-slim-bookworm has, of Debian's packages.
SYSTEM = ("bookworm", "python3,python3-pip,python3-venv,ca-certificates")
SEARCHED = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
PASSED_ON = ("PIP_", "SSL_CERT_", "http_proxy", "https_proxy", "no_proxy")
NETWORK = ("/etc/resolv.conf", "/etc/hosts")


@dataclass
class State:
    """A stage so far: its folder, and what the instructions have set."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0"
    entry_point: list[str] = field(default_factory=list)


class Builder:
    """Builds stages in folders below ``folder``.

    Args:
        build_args: of --build-arg.
        shared: paths of this machine that the commands see.
    """

    def __init__(self, folder: Path, build_args: dict[str, str], shared: list[str]) -> None:
        self.folder = folder
        self.build_args = build_args
        self.shared = [path for path in (*NETWORK, *shared) if Path(path).exists()]
        self.stages = {stage.name: stage for stage in read_stages(ROOT / "Dockerfile")}
        self.built: dict[str, State] = {}

    def build(self, name: str) -> State:
        """The stage, after those that it needs."""
        if name not in self.built:
            stage = self.stages[name]
            parent = self.build(stage.base) if stage.base in self.stages else None
            root = self.folder / name
            if parent is None:
                system(root)
                state = State(root)
            else:
                subprocess.run(["cp", "--archive", parent.root, root], check=True)
                state = State(root, dict(parent.env), parent.workdir, parent.user)
            self.carry_out(stage, state)
            self.built[name] = state
        return self.built[name]

    def carry_out(self, stage: Stage, state: State) -> None:
        """The instructions, one by one."""
        args: dict[str, str] = {}
        for instruction in stage.instructions:
            print(f"{stage.name}: {instruction.name} {instruction.text}", flush=True)
            match instruction.name:
                case "ARG":
                    name, _, default = instruction.text.partition("=")
                    args[name] = self.build_args.get(name, default)
                case "ENV":
                    state.env |= instruction.pairs()
                case "WORKDIR":
                    state.workdir = instruction.text
                    inside(state, instruction.text).mkdir(parents=True, exist_ok=True)
                case "USER":
                    state.user = instruction.text
                case "COPY":
                    self.copy(instruction, state)
                case "RUN":
                    self.run(["/bin/sh", "-c", instruction.text], state, args)
                case "ENTRYPOINT":
                    state.entry_point = instruction.words()
                case "LABEL" | "CMD":
                    instruction.words()
                case name:
                    sys.exit(f"try_dockerfile: {name} is not carried out here yet")

    def copy(self, instruction: Instruction, state: State) -> None:
        """COPY from the sources, without what .dockerignore names, or from another stage."""
        words = instruction.words()
        from_stage = words[0].startswith("--from=")
        source = self.build(words.pop(0).partition("=")[2]).root if from_stage else ROOT
        ignore = None if from_stage else ignored
        *patterns, target = words
        destination = inside(state, target)
        for pattern in patterns:
            for path in sorted(source.glob(pattern.lstrip("/"))) if pattern != "." else [source]:
                if path.is_dir():
                    shutil.copytree(path, destination, ignore=ignore, dirs_exist_ok=True)
                else:
                    file = destination / path.name if target.endswith("/") else destination
                    file.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, file)

    def run(self, command: list[str], state: State, args: dict[str, str] | None = None) -> None:
        """A command in the stage's folder, as its user; ends this program where it fails."""
        env = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        env |= {"PATH": SEARCHED, "HOME": home(state), **state.env, **(args or {})}
        mounts = [f"mount -t proc proc {state.root}/proc", f"mount --rbind /dev {state.root}/dev"]
        for path in self.shared:
            below = state.root / path.lstrip("/")
            if Path(path).is_dir():
                below.mkdir(parents=True, exist_ok=True)
            else:
                below.parent.mkdir(parents=True, exist_ok=True)
                below.unlink(missing_ok=True)
                below.touch()
            mounts.append(f"mount --bind {path} {below}")
        words = [*("env", "--ignore-environment"), *(f"{k}={v}" for k, v in env.items())]
        words += ["env", f"--chdir={state.workdir}", *command]
        chroot = ["chroot", f"--userspec={state.user}:{state.user}", str(state.root), *words]
        script = " && ".join([*mounts, f"exec {shlex.join(chroot)}"])
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"try_dockerfile: {shlex.join(command)} ended with {done.returncode}")


def system(root: Path) -> None:
    """Debian with Python as the image has it: in /usr/local/bin, with pip for the system."""
    suite, packages = SYSTEM
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", suite]
    subprocess.run([*command, str(root)], check=True)
    for link, target in (("python", "python3"), ("pip", "pip3")):
        (root / "usr/local/bin" / link).symlink_to(f"/usr/bin/{target}")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()


def ignored(folder: str, names: list[str]) -> set[str]:
    patterns = (ROOT / ".dockerignore").read_text().split()
    top = Path(folder) == ROOT
    return {
        name
        for name in names
        for pattern in patterns
        if fnmatch.fnmatch(name, pattern.removeprefix("**/")) and (top or "**/" in pattern)
    }


def inside(state: State, path: str) -> Path:
    """The place on this machine of a path in the stage."""
    return state.root / os.path.normpath(f"{state.workdir}/{path}" if path[0] != "/" else path)[1:]


def home(state: State) -> str:
    for line in (state.root / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[2] == state.user:
            return fields[5]
    sys.exit(f"try_dockerfile: the stage has no user {state.user}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a new folder for the stages")
    parser.add_argument("--stage", action="append", help="build this one (all)")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--share", action="append", default=[], metavar="PATH")
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    build_args = dict(pair.split("=", 1) for pair in given.build_arg)
    builder = Builder(given.folder.resolve(), build_args, given.share)
    for name in given.stage or builder.stages:
        began = time.monotonic()
        state = builder.build(name)
        if state.entry_point:
            builder.run([*state.entry_point, "bench", "--help"], state)
        size = subprocess.run(
            ["du", "--summarize", "--block-size=1M", state.root], capture_output=True, text=True
        ).stdout.split()[0]
        print(f"{name}: built in {time.monotonic() - began:.0f} s, {size} MB on disk", flush=True)


if __name__ == "__main__":
    main()
