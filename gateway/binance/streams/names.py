"""The names of streams, and what each of them asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.binance.intervals import INTERVALS

REAL_TIME_S: Final = 0.02
"""Shortest time between two readings for a stream in real time: what comes meanwhile is sent together."""
FAST_S: Final = 0.1
SECOND_S: Final = 1.0
_SPEEDS: Final = {"": SECOND_S, "1000ms": SECOND_S, "100ms": FAST_S}
_LEVELS: Final = {"depth5": 5, "depth10": 10, "depth20": 20}
_PLAIN: Final = {
    "trade": REAL_TIME_S,
    "aggTrade": REAL_TIME_S,
    "bookTicker": REAL_TIME_S,
    "miniTicker": SECOND_S,
    "ticker": SECOND_S,
    "avgPrice": SECOND_S,
}
_ALL: Final = {
    "!miniTicker@arr": "miniTicker",
    "!miniTicker@arr@1000ms": "miniTicker",  # so python-binance asks for it
    "!ticker@arr": "ticker",
}


class Stream(NamedTuple):
    """A stream: what is told (`kind`) of a symbol (empty: of all), at most once in `push_s` seconds.

    `levels` is how many prices a partial book has, `interval` that of klines.
    """

    name: str
    kind: str
    symbol: str
    push_s: float
    levels: int = 0
    interval: str = ""


def stream_named(name: str, symbols: Mapping[str, str]) -> Stream | None:
    """Return the stream of a name, None if there is no such; `symbols` are the listed ones by their names in lower case.

    >>> stream_named("aaplusd@depth5@100ms", {"aaplusd": "AAPLUSD"})
    Stream(name='aaplusd@depth5@100ms', kind='partial', symbol='AAPLUSD', push_s=0.1, levels=5, interval='')
    >>> stream_named("AAPLUSD@trade", {"aaplusd": "AAPLUSD"}) is None
    True
    >>> stream_named("!miniTicker@arr@1000ms", {}).kind
    'miniTicker'
    """
    if name in _ALL:
        return Stream(name, _ALL[name], "", SECOND_S)
    lower, _, rest = name.partition("@")
    symbol = symbols.get(lower)
    if symbol is None:
        return None
    if rest in _PLAIN:
        return Stream(name, rest, symbol, _PLAIN[rest])
    what, _, interval = rest.partition("_")
    if what == "kline" and interval in INTERVALS:
        return Stream(name, "kline", symbol, SECOND_S, interval=interval)
    what, _, speed = rest.partition("@")
    if (what == "depth" or what in _LEVELS) and speed in _SPEEDS and not rest.endswith("@"):
        return Stream(name, "partial" if what in _LEVELS else "depth", symbol, _SPEEDS[speed], _LEVELS.get(what, 0))
    return None
