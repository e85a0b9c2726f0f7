"""Names requests, so that an answer, its lines in the logs and its entries in the audit log can be found by one another."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

HEADER: Final = b"x-request-id"
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this task works for; empty outside of any."""

_SANE = re.compile(rb"[A-Za-z0-9_.-]{8,64}")
_STATE: Final = "openbell_request_id"


def named(scope: Any) -> str:
    """Name a request: by the id that the client or a proxy has given it, if that is one, else by a new one."""
    request_id = _given(scope["headers"]) or secrets.token_hex(8)
    scope.setdefault("state", {})[_STATE] = request_id
    return request_id


def request_id_of(scope: Any) -> str:
    """Return the name of a request; empty if it has none."""
    return str(scope.get("state", {}).get(_STATE, ""))


def _given(headers: Iterable[tuple[bytes, bytes]]) -> str:
    found = [value for name, value in headers if name == HEADER]
    return found[0].decode() if len(found) == 1 and _SANE.fullmatch(found[0]) else ""
