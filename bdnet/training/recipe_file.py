"""Recipes as TOML files: those that come with bdnet, and a user's own.

Each key is the option of ``python -m bdnet.train`` without its dashes, with ``_`` for ``-``; what
a file leaves out has its default.
"""

from __future__ import annotations

import difflib
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bdnet.errors import InputError
from bdnet.training.recipe import Recipe

_FOLDER = Path(__file__).parent / "recipes"
FIELDS = tuple(field.name for field in fields(Recipe))


def names() -> list[str]:
    """The recipes that come with bdnet."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def description(name: str) -> str:
    """The first line of a recipe that comes with bdnet."""
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def read(recipe: str) -> dict[str, Any]:
    """The fields that a recipe sets.

    Args:
        recipe: one of `names`, or a ``.toml`` file.

    Raises:
        InputError: there is none, it is no TOML, or it sets what is no field of `Recipe`.
    """
    path = Path(recipe)
    if path.suffix != ".toml":
        if recipe not in names():
            close = difflib.get_close_matches(recipe, names(), 1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"--recipe is {recipe!r}, which is no .toml file; {hint}bdnet has "
                f"{', '.join(names())}"
            )
        path = _FOLDER / f"{recipe}.toml"
    try:
        content: dict[str, Any] = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read: {error.strerror}") from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise InputError(f"the recipe {path} is no TOML: {error}") from None
    return {name: _value(path, name, value) for name, value in content.items()}


def kind(name: str) -> type:
    """The type of a field's values: int, float, bool, str, or tuple for numbers in a row."""
    hint = get_type_hints(Recipe)[name]
    if isinstance(hint, UnionType) or get_origin(hint) not in (Literal, tuple, None):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal:
        return str
    found: type = get_origin(hint) or hint
    return found


def choices(name: str) -> tuple[str, ...] | None:
    """What a field can be, where that is a list of words."""
    hint = get_type_hints(Recipe)[name]
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Literal:
            return get_args(part)
    return None


def _value(path: Path, name: str, value: Any) -> Any:
    if name not in FIELDS:
        close = difflib.get_close_matches(name, FIELDS, 1, cutoff=0.5)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"the recipe {path} sets {name!r}, which is no part of one{hint}")
    expected = kind(name)
    if expected is float and type(value) is int:
        return float(value)
    if expected is tuple and isinstance(value, list) and all(type(n) is int for n in value):
        return tuple(value)
    if type(value) is not expected:
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise InputError(
            f"the recipe {path} has {name} = {value!r}; expected "
            f"{words.get(expected, 'whole numbers in brackets')}"
        )
    return value
