"""What llvm-mca makes of the NEON kernels' inner loops: a model of the processors, no measurement.

Usage: python benchmarks/arm_model.py. Compiles the kernels for aarch64 as the library is compiled,
finds the inner loops in the assembler's input, and has llvm-mca count how many cycles one iteration
of each takes once it is running, with every load found in the nearest cache. Prints a table.
Needs g++-aarch64-linux-gnu, cmake and llvm-19: older ones have no model of neoverse-n1, the core of
Cortex-A76 (Raspberry Pi 5).
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MCA = "llvm-mca-19"
CPUS = ("cortex-a53", "cortex-a72", "neoverse-n1")
ITERATIONS = 500

# Branches, with the label they jump to.
BRANCH = re.compile(r"(?:b(?:\.?\w\w)?|cbn?z|tbn?z)\s(?:.*,\s*)?(\.L\w+)$")


@dataclass(frozen=True)
class Loop:
    """A loop to look for: of those in ``file``, the one with most of ``counted``, then the longest.

    So of an epilogue's variants the one with a residual and slopes.
    """

    title: str
    file: str
    counted: str  # a pattern of the instructions that do the work
    work: int  # how much of it each of them does
    unit: str
    lacks: str = "$^"  # a pattern of instructions that the loop has none of


LOOPS = (
    Loop(
        "dense and point-wise: 4 pixels x 64 filters", "neon_dense.cpp", "cnt", 128, "binary MACs"
    ),
    Loop("depth-wise 3 x 3: 16 channels", "neon_depthwise.cpp", r"ml?[ua]l?a?", 16, "ternary MACs"),
    Loop("stem: 4 pixels x 16 filters", "neon_float.cpp", "fmul", 4, "float MACs", "fcmge"),
    Loop("point-wise epilogue: 4 pixels x 8 filters", "neon_dense.cpp", "fcmlt", 4, "values", "bl"),
    Loop("depth-wise epilogue: 4 pixels x 8 channels", "neon_float.cpp", "fcmge", 4, "values"),
    Loop("signs to bits", "neon_binarise.cpp", "fcmge", 4, "values"),
    Loop("signs to bytes", "neon_binarise.cpp", "fcmge", 4, "values", "addp"),
)


def run(*command: str | Path, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def assemble(folder: Path) -> dict[str, str]:
    """The NEON files as assembler code, by the name of the file."""
    toolchain = ROOT / "cmake" / "aarch64-linux-gnu.cmake"
    run(
        *("cmake", "-S", ROOT, "-B", folder, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"),
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
    )
    code = {}
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        name = Path(entry["file"]).name
        if name in {loop.file for loop in LOOPS}:
            command = shlex.split(entry["command"])
            command[command.index("-c")] = "-S"
            command[command.index("-o") + 1] = "-"
            code[name] = run(*command)
    return code


def innermost_loops(code: str) -> Iterator[list[str]]:
    """The instructions of every loop whose only jump is its last."""
    body: list[str] = []
    labels: dict[str, int] = {}
    after_jump = 0
    for line in code.splitlines():
        text = line.strip()
        if label := re.match(r"([\w.$]+):", line):
            labels[label[1]] = len(body)
        elif text and not text.startswith((".", "#", "/")):
            body.append(text)
            if branch := BRANCH.match(text):
                start = labels.get(branch[1])
                if start is not None and start >= after_jump:
                    yield body[start:]
                after_jump = len(body)


def find(loop: Loop, code: str) -> tuple[list[str], int]:
    """The loop's instructions, and the work of one iteration."""
    found = []
    for body in innermost_loops(code):
        names = Counter(instruction.split()[0] for instruction in body)
        done = sum(count for name, count in names.items() if re.fullmatch(loop.counted, name))
        if done and not any(re.fullmatch(loop.lacks, name) for name in names):
            found.append((done, len(body), body))
    if not found:
        sys.exit(f"{loop.file} has no loop '{loop.title}': none with {loop.counted}")
    done, _, body = max(found)
    return body, done * loop.work


def cycles(body: list[str], cpu: str) -> float:
    """Of one iteration among many."""
    options = ["-mtriple=aarch64", f"-mcpu={cpu}", f"-iterations={ITERATIONS}"]
    printed = run(MCA, *options, text="\n".join(body))
    total = re.search(r"^Total Cycles: +(\d+)$", printed, re.MULTILINE)
    if total is None:
        sys.exit(f"{MCA} printed no total of cycles: {printed}")
    return int(total[1]) / ITERATIONS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        code = assemble(Path(folder))
    version = re.search(r"LLVM version \S+", run(MCA, "--version"))
    compiler = run("aarch64-linux-gnu-g++", "--version").splitlines()[0]
    print(f"{version[0] if version else MCA}; {compiler}\n")
    print("| loop | of one iteration | " + " | ".join(CPUS) + " |")
    print("|---" * (2 + len(CPUS)) + "|")
    for loop in LOOPS:
        body, work = find(loop, code[loop.file])
        cells = []
        for cpu in CPUS:
            taken = cycles(body, cpu)
            cells.append(f"{taken:.1f} cycles, {work / taken:.3g} a cycle")
        print(f"| {loop.title} | {work} {loop.unit} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
