"""A made-up value that fits a JSON schema, for tool inputs and structured answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEEPEST = 6
"""Levels below which only what is required is filled in, so that a schema which contains itself comes to an end."""
LONGEST = 1_000
"""How long a made-up text can be."""

_TEXTS = {
    "date": "2026-11-23",
    "date-time": "2026-11-23T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "sandbox@example.com",
    "uri": "https://example.com/sandbox",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}


def example(schema: object) -> Any:
    """A value for a schema; always the same one.

    >>> days = {"type": "integer", "minimum": 3}
    >>> example({"type": "object", "properties": {"city": {"type": "string"}, "days": days}})
    {'city': 'sandbox', 'days': 3}
    """
    root = schema if isinstance(schema, Mapping) else {}
    return _value(root, root, 0)


def _value(schema: object, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > 2 * DEEPEST:
        return {} if depth == 0 else None
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if isinstance(schema.get("$ref"), str):
        return _value(_referred(schema["$ref"], root), root, depth + 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(choice), list) and schema[choice]:
            return _value(_shallowest(schema[choice]) if depth >= DEEPEST else schema[choice][0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or (kind is None and (depth == 0 or "properties" in schema)):
        return _object(schema, root, depth)
    if kind == "array":
        count = max(int(depth < DEEPEST), _size(schema, "minItems", 0))
        return [_value(schema.get("items", {}), root, depth + 1) for _ in range(min(count, 8 if depth < 3 else 1))]
    if kind in ("integer", "number"):
        return _number(schema)
    return {"boolean": True, "null": None}.get(str(kind), _text(schema))


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    required = schema.get("required")
    return {
        name: _value(inner, root, depth + 1)
        for name, inner in (properties if isinstance(properties, Mapping) else {}).items()
        if depth < DEEPEST or (isinstance(required, list) and name in required)
    }


def _number(schema: Mapping[str, Any]) -> float:
    for bound, step in (("minimum", 0), ("exclusiveMinimum", 1)):
        least = schema.get(bound)
        if isinstance(least, int | float):
            return least + step
    return min(1, _size(schema, "maximum", 1))


def _text(schema: Mapping[str, Any]) -> str:
    text = _TEXTS.get(str(schema.get("format")), "sandbox")
    return text.ljust(_size(schema, "minLength", 0), "x")[: _size(schema, "maxLength", LONGEST)]


def _size(schema: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A number in a schema; a schema that says nonsense says nothing."""
    value = schema.get(name)
    return min(value, LONGEST) if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _shallowest(choices: list[Any]) -> object:
    """The choice that does not go deeper, if there is one."""
    flat = (choice for choice in choices if isinstance(choice, Mapping) and choice.get("type") not in ("object", None))
    return next(flat, choices[0])


def _referred(reference: str, root: Mapping[str, Any]) -> object:
    found: object = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
