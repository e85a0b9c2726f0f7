"""Reads from the views what klines and tickers are made of: as few candles as will do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from gateway.binance.intervals import Interval
from gateway.binance.klines import Kline, countable, gapless, merged, with_takers
from gateway.binance.tickers import HOUR_MS, Window, first_hour, quiet, rolling, window_start
from gateway.keys import CANDLES_MAX, SECONDS_MAX, TRADES_MAX
from gateway.ports import Views
from gateway.shown import CandleShown, Market

T = TypeVar("T")
AT_ONCE: Final = 16
"""How many symbols are read at once, so that other requests get connections, too."""


async def read_klines(
    views: Views, symbol: str, interval: Interval, limit: int, start_ms: int | None = None, end_ms: int | None = None
) -> list[Kline] | None:
    """Return klines, one for each interval: the first `limit` that begin from `start_ms` on, or else the last; None: no such symbol.

    None of them begins after `end_ms` or after the market's last event.
    """
    depth = await views.depth(symbol, 1)
    if depth is None:
        return None
    to_ms = depth.time_ms + 1 if end_ms is None else min(end_ms, depth.time_ms) + 1
    if to_ms <= (start_ms or 0):
        return []
    last = interval.opening(to_ms - 1)
    from_ms = interval.later(last, 1 - limit) if start_ms is None else _from(start_ms, interval)
    until_ms = interval.later(last) if start_ms is None else min(interval.later(last), interval.later(from_ms, limit))
    candles = await _candles(views, symbol, interval, from_ms, until_ms)
    if start_ms is not None and until_ms <= last and not (candles and candles[0].start_ms < interval.later(from_ms)):
        candles = await _candles(views, symbol, interval, from_ms, interval.later(last))  # what is kept begins later
    klines = gapless(merged(candles, interval), interval, from_ms, to_ms, limit)
    if klines and klines[-1].close_ms >= depth.time_ms:
        count = countable(klines, TRADES_MAX)
        if count:
            trades = await views.trades(symbol, min(count + 1, TRADES_MAX))
            klines = with_takers(klines, trades or [], interval)
    return klines


def _from(start_ms: int, interval: Interval) -> int:
    """Return when the first interval begins that does not begin before a time."""
    opening = interval.opening(start_ms)
    return opening if opening == start_ms else interval.later(opening)


async def _candles(views: Views, symbol: str, interval: Interval, from_ms: int, until_ms: int) -> Sequence[CandleShown]:
    """Return the candles from a time until another, and the last one before them; none of an interval whose first ones are gone."""
    kept = SECONDS_MAX if interval.span == "1s" else CANDLES_MAX
    wanted = min((until_ms - from_ms) // interval.span_ms + 1, kept)
    candles = await views.candles(symbol, interval.span, wanted, until_ms) or []
    if len(candles) < kept or interval.later(interval.opening(0)) - interval.opening(0) == interval.span_ms:
        return candles
    whole_ms = interval.later(interval.opening(candles[0].start_ms))
    return [candle for candle in candles if candle.start_ms >= whole_ms]


async def read_traded(views: Views, symbol: str, interval: Interval, to_ms: int, wanted: int) -> list[Kline]:
    """Return klines that begin before a time, only those in which something was traded: at least the last `wanted`, as far as they are kept."""
    last = interval.opening(to_ms - 1)
    from_ms = interval.later(last, -wanted)
    return merged(await _candles(views, symbol, interval, from_ms, interval.later(last)), interval)


async def read_window(views: Views, symbol: str, span_ms: int, quote_scale: int) -> tuple[Market, Window] | None:
    """Return a market and what was traded in it for so long before its last event; None: no such symbol."""
    market = await views.market(symbol, "1h", levels=1, trades=1, candles=span_ms // HOUR_MS + 2)
    if market is None:
        return None
    end_ms = market.summary.time_ms
    start_ms = window_start(end_ms, span_ms)
    minutes = await views.candles(symbol, "1m", 61, first_hour(start_ms)) or []
    window = rolling(minutes, market.candles, start_ms, end_ms)
    return market, window or quiet(market.summary, quote_scale, start_ms, end_ms)


async def read_each(read: Callable[[str], Awaitable[T | None]], symbols: Sequence[str]) -> list[T]:
    """Return what is read of each symbol, `AT_ONCE` at a time, without those that are not there."""
    found: list[T] = []
    for start in range(0, len(symbols), AT_ONCE):
        some = await asyncio.gather(*map(read, symbols[start : start + AT_ONCE]))
        found += [one for one in some if one is not None]
    return found
