"""Words for JSON schemas, and for what a route takes and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from exchange.money import UNITS_MAX

Schema: TypeAlias = Mapping[str, Any]
Security: TypeAlias = Literal["none", "key", "signed"]

TEXT: Final[Schema] = {"type": "string"}
DECIMAL: Final[Schema] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["101.25"]}
WHOLE: Final[Schema] = {"type": "integer"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
TIME_MS: Final[Schema] = {"type": "integer", "description": "Milliseconds since the epoch, UTC."}
SYMBOL: Final[Schema] = {"type": "string", "pattern": r"^[A-Z0-9\-_.]{1,32}$", "examples": ["AAPLUSD"]}


def bounded(least: int, greatest: int = UNITS_MAX, default: int | None = None) -> Schema:
    """Describe a whole number from one to another."""
    bounds = {"type": "integer", "minimum": least, "maximum": greatest}
    return bounds if default is None else {**bounds, "default": default}


def count(default_and_greatest: tuple[int, int]) -> Schema:
    """Describe how many are wanted."""
    default, greatest = default_and_greatest
    return bounded(1, greatest, default)


def words(choices: Iterable[str], default: str | None = None) -> Schema:
    """Describe a text that is one of some."""
    listed = {"type": "string", "enum": list(choices)}
    return listed if default is None else {**listed, "default": default}


def said(schema: Schema, text: str) -> Schema:
    """Describe in words, too."""
    return {**schema, "description": text}


def rows(item: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": item}


def columns(count: int, *kinds: Schema) -> Schema:
    """Describe a list of so many things, each of one of some kinds: which one stands where, tools do not yet agree how to say."""
    items = kinds[0] if len(kinds) == 1 else either(*kinds)
    return {"type": "array", "items": items, "minItems": count, "maxItems": count}


def record(fields: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    """Describe an object that has these fields and no others, all of them but the optional ones."""
    needed = [name for name in fields if name not in set(optional)]
    return {"type": "object", "properties": dict(fields), "required": needed, "additionalProperties": False}


def fields(names: str, schema: Schema) -> dict[str, Schema]:
    """Return fields, named with spaces between them, that are all alike."""
    return dict.fromkeys(names.split(), schema)


def either(*schemas: Schema) -> Schema:
    """Describe what is one of some."""
    return {"anyOf": list(schemas)}


def component(name: str) -> Schema:
    """Refer to a shape that stands once in the document."""
    return {"$ref": f"#/components/schemas/{name}"}


PROBLEM: Final = component("ProblemShown")
"""How the server says what is wrong, outside of what other APIs lay down."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What one method of one path takes and answers; its sentence is that of the code.

    `answer` is a schema or a type, None: what the handler returns. `errors` are schemas by status. `query` and `body` describe all that is
    read, `needed` names what must be there.
    """

    tag: str
    query: Mapping[str, Schema] = {}
    needed: tuple[str, ...] = ()
    body: Schema | None = None
    status: int = 200
    answer: Any = None
    media: str = "application/json"
    errors: Mapping[int, Schema] = {}
    security: Security = "none"
