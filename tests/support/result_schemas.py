"""JSON as docs/schemas describes it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def require_valid(name: str, value: Any) -> None:
    """Fails where ``value`` is not as NAME.schema.json says, or has a field it does not know."""
    errors = sorted(_validator(name).iter_errors(value), key=lambda error: error.path)
    assert not errors, "\n".join(f"{error.json_path}: {error.message[:300]}" for error in errors)


def load_valid(name: str, text: str) -> Any:
    """The JSON in ``text``, which is as NAME.schema.json says."""
    value = json.loads(text)
    require_valid(name, value)
    return value


@cache
def _validator(name: str) -> Draft202012Validator:
    schemas = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.schema.json")}
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    resources = [(name, Resource.from_contents(_closed(s))) for name, s in schemas.items()]
    wanted = schemas[f"{name}.schema.json"]
    return Draft202012Validator(_closed(wanted), registry=Registry().with_resources(resources))


def _closed(schema: Any) -> Any:
    """The schema without room for fields that it does not name. Users' copies leave that open."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "type" in made:
        made.setdefault("additionalProperties", False)
    return made
