"""Takes the parameters of a query, and says of one that is wrong what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from litestar import Request

from exchange.candles import SPANS
from gateway.problems import Problem

T = TypeVar("T")
Asked = Request[Any, Any, Any]

SPAN_MAX: Final = 366 * 86_400_000
"""Longest span of bars that can be asked for."""


def known(value: T | None) -> T:
    """Return what was found of a symbol, or raise `Problem` if there is no such symbol."""
    if value is None:
        raise Problem(
            404, "UNKNOWN_SYMBOL", "There is no such symbol.", {"symbol": "Write one of GET /api/native/instruments."}
        )
    return value


def number(request: Asked, name: str, default: int | None, greatest: int) -> Any:
    """Return a whole number from 1 to `greatest` of the query, or the default."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (is_whole(text, greatest) and int(text)):
        raise invalid(name, f"Write a whole number from 1 to {greatest}.")
    return int(text)


def choice(request: Asked, name: str, choices: Mapping[str, T], default: T) -> T:
    """Return what one of some texts stands for, or the default."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if text not in choices:
        raise invalid(name, f"Write one of {', '.join(choices)}.")
    return choices[text]


def span_ms(request: Asked, default: str) -> int:
    """Return a span of bars in milliseconds, given by its name or as a whole number, or the default's."""
    text = request.query_params.get("span", default)
    if text not in SPANS and not is_whole(text, SPAN_MAX):
        whole = f"a whole number of milliseconds from 0 (bars as they come) to {SPAN_MAX}"
        raise invalid("span", f"Write one of {', '.join(SPANS)}, or {whole}.")
    return SPANS[text] if text in SPANS else int(text)


def is_whole(text: str, greatest: int) -> bool:
    """Say whether a text is a whole number from 0 to `greatest`."""
    return text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= greatest


def invalid(name: str, what: str) -> Problem:
    """Return the problem of a parameter that is wrong."""
    return Problem(422, "INVALID_FIELDS", "Change the parameters that are named.", {name: what})
