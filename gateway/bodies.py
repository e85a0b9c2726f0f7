"""Takes JSON objects out of requests, and refuses what they do not consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request

from gateway.problems import Problem

NAMED_MAX = 10
"""How many unknown fields are named at most, and how long a name is shown."""
NAME_MAX = 64


async def read_object(
    request: Request[Any, Any, Any], names: Sequence[str], nested: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Return the body's JSON object, which has no fields but `names`; `nested` are the names in those that are objects themselves.

    Raises:
        Problem: if it is none.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send JSON with the header Content-Type: application/json.")
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "INVALID_JSON", "The body is no JSON.") from error
    if not isinstance(body, dict):
        raise Problem(400, "INVALID_JSON", "The body must be a JSON object.")
    wrong = _unknown(body, names)
    for name, inner in (nested or {}).items():
        value = body.get(name)
        if isinstance(value, dict):
            wrong |= {f"{name}.{field}": what for field, what in _unknown(value, inner).items()}
    if wrong:
        raise Problem(400, "UNKNOWN_FIELD", "The request has fields that do not exist.", wrong)
    return body


def _unknown(found: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    what = f"There is no such field: leave it away. Fields are {', '.join(names)}."
    return {name[:NAME_MAX]: what for name in sorted(set(found) - set(names))[:NAMED_MAX]}
