"""Klines as Binance has them, made of our candles: pure functions.

Our candles are kept of six spans, and only where something was traded. Binance has more intervals, and a kline for each, traded or not:
longer ones are put together of shorter candles, and where nothing was traded stands a kline at the last price with no volume.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import msgspec

from gateway.binance.intervals import Interval
from gateway.binance.numbers import plain
from gateway.shown import CandleShown, TradeShown

WATCHED_MAX: Final = 60
"""Greatest number of closed klines that are watched for corrections."""
_NOTHING = Decimal(0)


class Kline(msgspec.Struct, frozen=True, kw_only=True):
    """One kline; `close_ms` is its last millisecond. `taker_volume` and `taker_turnover` are what takers bought, 0 where nobody knows.

    `closed`: no trade is expected in it any more.
    """

    open_ms: int
    close_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    trades: int
    closed: bool
    taker_volume: str
    taker_turnover: str

    @property
    def row(self) -> list[Any]:
        """Return the kline as REST tells it."""
        traded = [self.open, self.high, self.low, self.close, self.volume]
        return [
            self.open_ms,
            *traded,
            self.close_ms,
            self.turnover,
            self.trades,
            self.taker_volume,
            self.taker_turnover,
            "0",
        ]


def merged(candles: Iterable[CandleShown], interval: Interval) -> list[Kline]:
    """Return the klines of candles that are in their order, of the span `interval.span`; none where there are no candles.

    One is closed if its last candle is, and either it can have no later one or candles have passed it.
    """
    groups = [
        (opening, list(some)) for opening, some in groupby(candles, lambda candle: interval.opening(candle.start_ms))
    ]
    return [
        _kline(some, opening, interval, is_passed=number < len(groups))
        for number, (opening, some) in enumerate(groups, 1)
    ]


def _kline(candles: Sequence[CandleShown], opening: int, interval: Interval, *, is_passed: bool) -> Kline:
    first, last, end_ms = candles[0], candles[-1], interval.later(opening)
    volume, turnover = total(candle.volume for candle in candles), total(candle.turnover for candle in candles)
    return Kline(
        open_ms=opening,
        close_ms=end_ms - 1,
        open=first.open,
        high=max((candle.high for candle in candles), key=Decimal),
        low=min((candle.low for candle in candles), key=Decimal),
        close=last.close,
        volume=volume,
        turnover=turnover,
        trades=sum(candle.trades for candle in candles),
        closed=last.closed and (is_passed or last.start_ms + interval.span_ms >= end_ms),
        taker_volume=_none_of(volume),
        taker_turnover=_none_of(turnover),
    )


def total(amounts: Iterable[str]) -> str:
    """Add decimals up.

    >>> total(["1.50", "0.001"]), total(["2"])
    ('1.501', '2')
    """
    found = list(amounts)
    return found[0] if len(found) == 1 else plain(sum(map(Decimal, found), _NOTHING))


def gapless(klines: Iterable[Kline], interval: Interval, from_ms: int, to_ms: int, limit: int) -> list[Kline]:
    """Return the first `limit` klines that begin from `from_ms` (an opening) on and before `to_ms`, with one for each interval.

    They begin with the first interval of which anything is known; `klines` may begin earlier, for the price that nothing-traded intervals stand at.
    A nothing-traded interval is closed where a later one of `klines` has passed it: without one, its trades may not have been counted yet.
    """
    found: list[Kline] = []
    before: Kline | None = None
    opening = from_ms
    for kline in klines:
        if before is not None:
            until = min(kline.open_ms, to_ms)
            opening = _fill(found, before, interval, opening, until, limit, is_passed=True)
        if kline.open_ms >= to_ms or len(found) >= limit:
            return found[:limit]
        if kline.open_ms >= from_ms:
            found.append(kline)
            opening = interval.later(kline.open_ms)
        before = kline
    if before is not None:
        _fill(found, before, interval, opening, to_ms, limit, is_passed=False)
    return found[:limit]


def _fill(
    found: list[Kline], before: Kline, interval: Interval, opening: int, to_ms: int, limit: int, *, is_passed: bool
) -> int:
    """Append what stands for intervals from `opening` to `to_ms` in which nothing was traded, and return where the next one begins.

    `is_passed`: candles have passed these intervals.
    """
    while opening < to_ms and len(found) < limit:
        end_ms = interval.later(opening)
        found.append(_flat(before, opening, end_ms, closed=is_passed and end_ms <= to_ms))
        opening = end_ms
    return opening


def _flat(before: Kline, opening: int, end_ms: int, *, closed: bool) -> Kline:
    """Return the kline of an interval in which nothing was traded since an earlier one."""
    price, nothing, no_money = before.close, _none_of(before.volume), _none_of(before.turnover)
    return Kline(
        open_ms=opening,
        close_ms=end_ms - 1,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=nothing,
        turnover=no_money,
        trades=0,
        closed=closed,
        taker_volume=nothing,
        taker_turnover=no_money,
    )


def _none_of(amount: str) -> str:
    """Write nothing with as many decimals as an amount has."""
    return plain(Decimal(amount) * 0)


def ended(klines: Iterable[Kline], counted_ms: int) -> list[Kline]:
    """Return klines with those closed that end by a time up to which all trades are known to be in them."""
    return [
        msgspec.structs.replace(kline, closed=True) if not kline.closed and kline.close_ms < counted_ms else kline
        for kline in klines
    ]


def after(kline: Kline, told: Kline | None) -> Kline:
    """Return a kline as it is told after it has been told as `told`: it stays closed, and of the same trades takers did not buy less.

    What takers bought is no longer known once the kline's trades are not among the newest ones.
    """
    if told is None:
        return kline
    was_known = told.trades == kline.trades and Decimal(told.taker_volume) > Decimal(kline.taker_volume)
    known = told if was_known else kline
    return msgspec.structs.replace(
        kline,
        closed=kline.closed or told.closed,
        taker_volume=known.taker_volume,
        taker_turnover=known.taker_turnover,
    )


def changeable(klines: Sequence[Kline]) -> Sequence[Kline]:
    """Return the last of some klines: from the first one on that is open or that no later trade has passed, and at least one.

    Where nothing has been traded for long, that are no more than `WATCHED_MAX` closed ones.
    """
    count = len(klines)
    opened = next((place for place, kline in enumerate(klines) if not kline.closed), count)
    traded = next((place for place in reversed(range(count)) if klines[place].trades), 0)
    return klines[min(opened, max(traded, count - WATCHED_MAX)) :]


def countable(klines: Sequence[Kline], kept: int) -> int:
    """Return how many trades the last klines have, as many of them as have no more than `kept` together."""
    count = 0
    for kline in reversed(klines):
        if count + kline.trades > kept:
            break
        count += kline.trades
    return count


def with_takers(klines: Iterable[Kline], newest: Sequence[TradeShown], interval: Interval) -> list[Kline]:
    """Return klines with what takers bought in them, of those whose trades are all among the newest ones (the newest first).

    Trades that a kline has not counted yet are left out, so that no more is bought than was traded.
    """
    if not newest:
        return list(klines)
    oldest, traded = newest[-1], defaultdict[int, list[TradeShown]](list)
    since_ms = 0 if oldest.seq == 1 else oldest.time_ms + 1
    for trade in reversed(newest):
        traded[interval.opening(trade.time_ms)].append(trade)
    return [
        _with(kline, traded[kline.open_ms][: kline.trades]) if kline.trades and kline.open_ms >= since_ms else kline
        for kline in klines
    ]


def _with(kline: Kline, traded: Iterable[TradeShown]) -> Kline:
    bought = [trade for trade in traded if trade.taker_side == "buy"]
    volume = sum((Decimal(trade.quantity) for trade in bought), Decimal(kline.taker_volume))
    turnover = sum((Decimal(trade.price) * Decimal(trade.quantity) for trade in bought), _NOTHING)
    return msgspec.structs.replace(
        kline,
        taker_volume=plain(volume),
        taker_turnover=plain(turnover.quantize(Decimal(kline.taker_turnover))),
    )
