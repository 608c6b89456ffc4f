"""A Dockerfile as instructions of stages: as much of the format as ours uses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: ``name`` in capitals, ``text`` what follows on it, its lines joined."""

    name: str
    text: str

    def words(self) -> list[str]:
        """Of an instruction in JSON's form, or of plain words."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return self.text.split()

    def pairs(self) -> dict[str, str]:
        """Of ENV and LABEL: NAME=VALUE, a value in quotes or without."""
        found = re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', self.text)
        return {name: quoted or plain for name, quoted, plain in found}


@dataclass
class Stage:
    """A stage: its name, the image or stage that it begins with, and what is done then."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


def read_stages(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, in its order."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    stages: list[Stage] = []
    for line in filter(str.strip, joined.splitlines()):
        name, _, text = line.strip().partition(" ")
        if name == "FROM":
            base, _, stage = text.partition(" AS ")
            stages.append(Stage(stage, base))
        else:
            stages[-1].instructions.append(Instruction(name, " ".join(text.split())))
    return stages
