"""The figures of rolling windows, such as the last 24 hours, and the tickers that tell them: pure functions over candles.

A window ends with the market's last event and begins on a minute, as Binance's do. It is put together of minutes up to the next full hour, and of
hours from there: so a day costs 85 candles and not 1,440.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from exchange.candles import DAY_MS
from exchange.money import minor_step
from gateway.binance.klines import total
from gateway.binance.numbers import decimals, plain, rounded, zero
from gateway.shown import CandleShown, Summary, TradeShown

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
AVERAGE_MINUTES: Final = 5
"""How many minutes `avgPrice` is the average of."""
WINDOWS: Final = {
    **{f"{count}m": count * MINUTE_MS for count in range(1, 60)},
    **{f"{count}h": count * HOUR_MS for count in range(1, 24)},
    **{f"{count}d": count * DAY_MS for count in range(1, 8)},
}
"""The windows of `ticker`, in milliseconds by name."""
TYPES: Final = ("FULL", "MINI")
_AVERAGE_PLACES: Final = 8


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What was traded from `start_ms` to `end_ms`; `before` is the last price before, None where there is none that is known."""

    start_ms: int
    end_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    trades: int
    before: str | None


def window_start(end_ms: int, span_ms: int) -> int:
    """Return the minute at which a window begins that ends at a time."""
    start_ms = max(0, end_ms - span_ms)
    return start_ms - start_ms % MINUTE_MS


def first_hour(start_ms: int) -> int:
    """Return the first full hour of a window: candles of minutes are wanted before it, of hours from it."""
    return -(-start_ms // HOUR_MS) * HOUR_MS


def rolling(minutes: Sequence[CandleShown], hours: Sequence[CandleShown], start_ms: int, end_ms: int) -> Window | None:
    """Return what was traded in a window; None if nothing was. `minutes` and `hours`, in order, may begin before it."""
    hour_ms = first_hour(start_ms)
    traded = [candle for candle in minutes if start_ms <= candle.start_ms < hour_ms]
    traded += [candle for candle in hours if hour_ms <= candle.start_ms <= end_ms]
    if not traded:
        return None
    earlier = [candle for candle in minutes if candle.start_ms < start_ms]
    return Window(
        start_ms=start_ms,
        end_ms=end_ms,
        open=traded[0].open,
        high=max((candle.high for candle in traded), key=Decimal),
        low=min((candle.low for candle in traded), key=Decimal),
        close=traded[-1].close,
        volume=total(candle.volume for candle in traded),
        turnover=total(candle.turnover for candle in traded),
        trades=sum(candle.trades for candle in traded),
        before=earlier[-1].close if earlier else None,
    )


def quiet(summary: Summary, quote_scale: int, start_ms: int, end_ms: int) -> Window:
    """Return a window in which nothing was traded: it stands at the last price."""
    price = summary.last or zero(summary.tick)
    return Window(
        start_ms=start_ms,
        end_ms=end_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=zero(summary.lot),
        turnover=zero(minor_step(quote_scale)),
        trades=0,
        before=summary.last,
    )


def mini(summary: Summary, window: Window) -> dict[str, Any]:
    """Return a ticker of the type MINI. The numbers of trades are gapless, so the last one and the count tell the first."""
    trades, last = window.trades, summary.seq
    return {
        "symbol": summary.symbol,
        "openPrice": window.open,
        "highPrice": window.high,
        "lowPrice": window.low,
        "lastPrice": window.close,
        "volume": window.volume,
        "quoteVolume": window.turnover,
        "openTime": window.start_ms,
        "closeTime": window.end_ms,
        "firstId": max(1, last - trades + 1) if trades else -1,
        "lastId": last if trades else -1,
        "count": trades,
    }


def full(summary: Summary, window: Window) -> dict[str, Any]:
    """Return a ticker of the type FULL of a rolling window."""
    opened, change = Decimal(window.open), Decimal(window.close) - Decimal(window.open)
    percent = change * 100 / opened if opened else Decimal(0)
    return {
        "symbol": summary.symbol,
        "priceChange": plain(change),
        "priceChangePercent": rounded(percent, 3),
        "weightedAvgPrice": weighted(window, summary.tick),
        **mini(summary, window),
    }


def day_full(summary: Summary, window: Window, newest: TradeShown | None) -> dict[str, Any]:
    """Return the ticker of 24 hours of the type FULL, which has the book's best prices, too."""
    return {
        **full(summary, window),
        "prevClosePrice": window.open if window.before is None else window.before,
        "lastQty": zero(summary.lot) if newest is None else newest.quantity,
        **_best(summary),
    }


def book(summary: Summary) -> dict[str, Any]:
    """Return a symbol's best prices and what stands at them; zero where nothing does."""
    return {"symbol": summary.symbol, **_best(summary)}


def _best(summary: Summary) -> dict[str, Any]:
    return {
        "bidPrice": summary.bid or zero(summary.tick),
        "bidQty": summary.bid_quantity or zero(summary.lot),
        "askPrice": summary.ask or zero(summary.tick),
        "askQty": summary.ask_quantity or zero(summary.lot),
    }


def price(summary: Summary) -> dict[str, Any]:
    """Return a symbol's last price; zero where there is none."""
    return {"symbol": summary.symbol, "price": summary.last or zero(summary.tick)}


def weighted(window: Window, tick: str) -> str:
    """Return the average price of what was traded, weighted by quantity, with `_AVERAGE_PLACES` decimals or the tick's, if it has more."""
    places = max(_AVERAGE_PLACES, decimals(tick))
    volume = Decimal(window.volume)
    return rounded(Decimal(window.turnover) / volume if volume else Decimal(window.close), places)


def by_count(*steps: tuple[int, int], none: int) -> Any:
    """Return the weight of a route for one symbol, a list of them, or all: `steps` are the greatest counts and what they cost."""

    def weight(sent: Mapping[str, str]) -> int:
        if "symbol" in sent:
            return steps[0][1]
        if "symbols" not in sent:
            return none
        count = sent["symbols"].count(",") + 1
        return next((cost for most, cost in steps if count <= most), none)

    return weight
