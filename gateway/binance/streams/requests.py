"""What clients ask of a stream socket, and Binance's answers to it: pure functions over JSON."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
UNKNOWN_PROPERTY, WRONG_TYPE, INVALID, NO_JSON = 0, 1, 2, 3
"""Codes of errors."""
_ID = re.compile(r"[\w\-]{1,36}", re.ASCII)
_INT64: Final = 2**63
_PROPERTY: Final = "combined"


class Request(NamedTuple):
    """A request in order: one of `METHODS`, with what it names."""

    id: int | str | None
    method: str
    names: list[str]
    combined: bool = False


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, text: str, request_id: int | str | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.request_id = code, text, request_id

    @property
    def answer(self) -> bytes:
        """Return what is sent."""
        return msgspec.json.encode({"error": {"code": self.code, "msg": self.text}, "id": self.request_id})


def done(request_id: int | str | None, result: Any = None) -> bytes:
    """Return the answer to a request that was carried out."""
    return msgspec.json.encode({"result": result, "id": request_id})


def decoded(text: str | bytes) -> Any:
    """Return what JSON says. Raises Refused, of JSON that is nested too deep, too."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Refused(NO_JSON, "Invalid JSON: expected value at line 1 column 1") from None


def request(text: str | bytes) -> Request:
    """Read a request. Raises Refused."""
    sent = decoded(text)
    if not isinstance(sent, dict):
        raise Refused(INVALID, "Invalid request: expected an object")
    request_id = sent.get("id")
    if not is_request_id(request_id):
        raise Refused(INVALID, "Invalid request: request ID must be an unsigned integer")
    if unknown := sent.keys() - {"id", "method", "params"}:
        raise Refused(INVALID, f"Invalid request: unknown field `{min(unknown)[:40]}`", request_id)
    if "method" not in sent:
        raise Refused(INVALID, "Invalid request: missing field `method` at line 1 column 1", request_id)
    method, params = sent["method"], sent.get("params")
    if method not in METHODS:
        known = ", ".join(f"`{each}`" for each in METHODS)
        text = f"Invalid request: unknown variant `{str(method)[:40]}`, expected one of {known} at line 1 column 1"
        raise Refused(INVALID, text, request_id)
    if params is None:
        params = []
    if not isinstance(params, list):
        raise Refused(INVALID, "Invalid request: `params` must be an array", request_id)
    return _checked(request_id, method, params)


def _checked(request_id: int | str | None, method: str, params: list[Any]) -> Request:
    match method:
        case "LIST_SUBSCRIPTIONS":
            if params:
                raise Refused(INVALID, "Invalid request: too many parameters", request_id)
            return Request(request_id, method, [])
        case "SET_PROPERTY" | "GET_PROPERTY":
            return _property(request_id, method, params)
    if not params:
        raise Refused(INVALID, "Invalid request: `params` must name at least one stream", request_id)
    if not all(isinstance(name, str) for name in params):
        raise Refused(INVALID, "Invalid request: stream names must be strings", request_id)
    return Request(request_id, method, list(dict.fromkeys(params)))


def _property(request_id: int | str | None, method: str, params: list[Any]) -> Request:
    wanted = 2 if method == "SET_PROPERTY" else 1
    if not params or not isinstance(params[0], str):
        raise Refused(INVALID, "Invalid request: property name must be a string", request_id)
    if len(params) > wanted:
        raise Refused(INVALID, "Invalid request: too many parameters", request_id)
    if params[0] != _PROPERTY:
        raise Refused(UNKNOWN_PROPERTY, "Unknown property", request_id)
    if wanted == 1:
        return Request(request_id, method, [])
    if len(params) < wanted or not isinstance(params[1], bool):
        raise Refused(WRONG_TYPE, "Invalid value type: expected Boolean", request_id)
    return Request(request_id, method, [], params[1])


def is_request_id(value: Any) -> bool:
    """Say whether a request may have this id: a whole number of 64 bits, a short plain text, or none.

    >>> is_request_id(7), is_request_id("a-1"), is_request_id(True), is_request_id(1.5), is_request_id("a b")
    (True, True, False, False, False)
    """
    if isinstance(value, str):
        return _ID.fullmatch(value) is not None
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64)
