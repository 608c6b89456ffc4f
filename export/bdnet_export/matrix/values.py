"""What may stand behind each key of a matrix's file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Read = Callable[[Any], Any]
"""Takes a value as TOML has it; raises `ValueError` for one of another kind."""


@dataclass(frozen=True)
class Kind:
    """A kind of value, and what messages call it."""

    read: Read
    expected: str


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _seconds(value: Any) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError
    return number


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _several(read: Read) -> Read:
    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError
        return tuple(dict.fromkeys(map(read, value)))

    return read_all


def _by_model(value: Any) -> str | dict[str, str]:
    if isinstance(value, dict) and value:
        return {_text(model): _text(source) for model, source in value.items()}
    return _text(value)


TEXT = Kind(_text, "text in quotes")
FLAG = Kind(_flag, "true or false")
SECONDS = Kind(_seconds, "a number of seconds")

KEYS = {
    "models": Kind(_several(_text), 'a list such as ["a.onnx", "b.onnx"]'),
    "devices": Kind(_several(_text), 'a list such as ["local", "pi5"]'),
    "threads": Kind(_several(_whole), "a list of whole numbers such as [1, 4]"),
    "batch": Kind(_several(_whole), "a list of whole numbers such as [1, 8]"),
    "against": Kind(_several(_text), 'a list such as ["fp32", "int8"]'),
    "source": Kind(
        _by_model, 'text in quotes, or one for each model: { "a.onnx" = "a.safetensors" }'
    ),
    "images": TEXT,
    "warmup": Kind(_whole, "a whole number"),
    "seconds": SECONDS,
    "rounds": Kind(_whole, "a whole number"),
    "profile": FLAG,
    "no_library": FLAG,
    "governor": TEXT,
    "max_temperature": Kind(_number, "a number of degrees Celsius"),
    "cool_down": SECONDS,
    "inventory": TEXT,
    "wheel": TEXT,
    "results": TEXT,
    "time_limit": SECONDS,
}
"""Every key. Those of `OPTIONS` are options of ``bdnet-export bench``, with ``_`` for ``-``."""

OPTIONS = (
    "against",
    "images",
    "warmup",
    "seconds",
    "rounds",
    "profile",
    "no_library",
    "governor",
    "max_temperature",
    "cool_down",
    "inventory",
    "wheel",
)
