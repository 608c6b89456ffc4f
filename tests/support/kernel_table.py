"""The names in the table of the kernels, runtime/include/bdnet/kernels.inc."""

from __future__ import annotations

import re

from support.cpp_build import ROOT

TABLE = ROOT / "runtime" / "include" / "bdnet" / "kernels.inc"


def instruction_sets() -> set[str]:
    """Those of every architecture, ``reference`` among them."""
    return {"reference", *_names("BDNET_INSTRUCTION_SET")}


def kernels() -> set[str]:
    return set(_names("BDNET_KERNEL"))


def _names(macro: str) -> list[str]:
    names = re.findall(rf"^{macro}\((\w+)[,)]", TABLE.read_text(), re.MULTILINE)
    assert names, f"{TABLE} has no {macro}"
    return names
