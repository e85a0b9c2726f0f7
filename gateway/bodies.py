"""Takes JSON objects out of requests, and refuses what they do not consist of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Request

from gateway.problems import Problem

NAMED_MAX = 10
"""How many unknown fields are named at most, and how long a name is shown."""
NAME_MAX = 64
DEPTH_MAX: Final = 16
"""How deep arrays and objects may be in one another."""


async def read_object(
    request: Request[Any, Any, Any], names: Sequence[str], nested: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Return the body's JSON object, which has no fields but `names`; `nested` are the names in those that are objects themselves.

    Raises:
        Problem: if it is none.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Send JSON with the header Content-Type: application/json.")
    body = decoded(await request.body())
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


def decoded(raw: bytes) -> Any:
    """Return the JSON of a body, the size of which is bounded by its route. Raises Problem if it is none, or too deep."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem(400, "INVALID_JSON", "The body is no JSON.") from error
    if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX and _is_deeper(body, DEPTH_MAX):
        raise Problem(400, "INVALID_JSON", f"The body is nested more than {DEPTH_MAX} deep.")
    return body


def _is_deeper(value: Any, depth: int) -> bool:
    """Say whether arrays and objects are more than `depth` deep in one another; level by level, so however deep they are."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _unknown(found: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    what = f"There is no such field: leave it away. Fields are {', '.join(names)}."
    return {name[:NAME_MAX]: what for name in sorted(set(found) - set(names))[:NAMED_MAX]}
