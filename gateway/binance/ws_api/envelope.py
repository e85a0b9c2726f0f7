"""The form of requests and answers of the websocket API: pure functions over JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from gateway.binance.errors import BinanceError
from gateway.binance.streams.requests import Refused, decoded, is_request_id

NO_JSON: Final = -1135
_FIELDS: Final = frozenset(("id", "method", "params"))


class Call(NamedTuple):
    """A request in order."""

    id: int | str | None
    method: str
    params: dict[str, Any]


class Malformed(BinanceError):
    """A request that cannot be read; `request_id` as far as it can."""

    def __init__(self, text: str, request_id: int | str | None = None) -> None:
        super().__init__(NO_JSON, text=text)
        self.request_id = request_id


def call(text: str) -> Call:
    """Read a request. Raises Malformed."""
    try:
        sent = decoded(text)
    except Refused:
        raise Malformed("Invalid JSON Request") from None
    if not isinstance(sent, dict):
        raise Malformed("Invalid JSON Request: expected an object")
    request_id = sent.get("id")
    if not is_request_id(request_id):
        raise Malformed("Invalid JSON Request: `id` must be a whole number, a text of up to 36 characters, or null")
    if sent.keys() - _FIELDS:
        raise Malformed("Invalid JSON Request: only `id`, `method` and `params` may be sent", request_id)
    method, params = sent.get("method"), sent.get("params")
    if not isinstance(method, str):
        raise Malformed("Invalid JSON Request: `method` must be a string", request_id)
    if params is not None and not isinstance(params, dict):
        raise Malformed("Invalid JSON Request: `params` must be an object", request_id)
    return Call(request_id, method, params or {})


def answer(request_id: int | str | None, result: Any, limits: list[dict[str, Any]] | None) -> bytes:
    """Return the answer to a request that was carried out; `limits` None: they are not asked for."""
    return _encoded({"id": request_id, "status": 200, "result": result}, limits)


def refusal(request_id: int | str | None, error: BinanceError, limits: list[dict[str, Any]] | None) -> bytes:
    """Return the answer to a request that was not carried out."""
    return _encoded({"id": request_id, "status": error.status, "error": error.body}, limits)


def _encoded(shown: dict[str, Any], limits: list[dict[str, Any]] | None) -> bytes:
    return msgspec.json.encode(shown if limits is None else {**shown, "rateLimits": limits})


def texts(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as REST has them in its query: lists as JSON, all else as text. Raises BinanceError.

    >>> texts({"limit": 5, "symbols": ["AAPLUSD"], "x": True})
    {'limit': '5', 'symbols': '["AAPLUSD"]', 'x': 'true'}
    """
    return {name: _text(name, value) for name, value in params.items()}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | None):
        raise BinanceError(-1102, name[:40])
    return msgspec.json.encode(value).decode()
