"""Who may import whom. The rules are those of the components; the test reads the sources."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = {
    "bdnet": ROOT / "bdnet",
    "bdnet_export": ROOT / "export" / "bdnet_export",
    "bdnet_runtime": ROOT / "runtime" / "bdnet_runtime",
    "bdnet_devices": ROOT / "devices" / "bdnet_devices",
}

MAY_IMPORT_OF_OURS = {
    "bdnet": set(),
    "bdnet_export": {"bdnet", "bdnet_runtime", "bdnet_devices"},
    "bdnet_runtime": set(),
    "bdnet_devices": {"bdnet_runtime"},
}

# A board installs the runtime, and whoever reaches one installs the devices: no PyTorch there.
MAY_IMPORT_OF_OTHERS = {
    # The last two only where a .tflite file is measured, and not where there is none.
    "bdnet_runtime": {"numpy", "onnxruntime", "ai_edge_litert", "tflite_runtime"},
    # jinja2 and matplotlib make a report and are imported then; tomlkit reads the inventory.
    "bdnet_devices": {"jinja2", "markupsafe", "matplotlib", "tomlkit"},
}

# Networks and training know nothing of the format they are exported to.
MAY_NOT_IMPORT = {"bdnet": {"onnx", "onnx_ir", "onnxscript", "onnxruntime", "typer"}}


def imports(source: str) -> set[str]:
    """The top-level names a module imports, wherever in it: inside a function counts as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names


def offences(package: str, source: str) -> set[str]:
    """The names ``source`` imports although it belongs to ``package``."""
    found = imports(source) - sys.stdlib_module_names - {package}
    ours = found & PACKAGES.keys()
    others = found - ours
    wrong = ours - MAY_IMPORT_OF_OURS[package]
    wrong |= others & MAY_NOT_IMPORT.get(package, set())
    if package in MAY_IMPORT_OF_OTHERS:
        wrong |= others - MAY_IMPORT_OF_OTHERS[package]
    return wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_may(package: str) -> None:
    files = sorted(PACKAGES[package].rglob("*.py"))
    assert files, f"{package} has no sources"
    wrong = {
        str(file.relative_to(ROOT)): names
        for file in files
        if (names := offences(package, file.read_text(encoding="utf-8")))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("package", "source", "wrong"),
    [
        ("bdnet", "from bdnet_runtime import info", {"bdnet_runtime"}),
        ("bdnet", "import torch, onnx.helper", {"onnx"}),
        ("bdnet_runtime", "def f():\n    import torch.nn", {"torch"}),
        ("bdnet_runtime", "import bdnet_devices.local", {"bdnet_devices"}),
        ("bdnet_devices", "import numpy", {"numpy"}),
        ("bdnet_devices", "import bdnet, bdnet_runtime.benchmark", {"bdnet"}),
        ("bdnet_export", "import bdnet, torch, onnx, bdnet_devices", set()),
    ],
)
def test_the_rules_can_be_broken(package: str, source: str, wrong: set[str]) -> None:
    assert offences(package, source) == wrong


def test_kernels_know_nothing_of_onnx_runtime() -> None:
    """That is what lets them be tested, measured and used without it."""
    folders = [ROOT / "runtime" / "kernels", ROOT / "runtime" / "include"]
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    assert files, "there are no kernels"
    mentions = re.compile(r"(?i:onnxruntime)|\bOrt[A-Z]|\bort/")
    wrong = [
        str(file.relative_to(ROOT))
        for file in files
        if mentions.search(file.read_text(encoding="utf-8"))
    ]
    assert not wrong
