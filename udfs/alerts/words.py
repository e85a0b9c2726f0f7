"""What an alert says, in plain words and with the numbers that made it true."""

from __future__ import annotations

from typing import Final

from exchange import analysis as a
from exchange.candles import SPAN_NAMES
from exchange.messages import OrderFilled

DIGITS: Final = 12
"""Numbers are compared, and told, to so many digits: beyond them lies what floating-point arithmetic has added."""


def tidy(value: float) -> float:
    """Return a number without its rounding errors.

    >>> tidy(0.29 * 100), tidy(19025 * 0.01)
    (29.0, 190.25)
    """
    return float(f"{value:.{DIGITS}g}")


def number(value: float) -> str:
    """Return a number as one writes it.

    >>> number(190.0), number(190.25), number(1 / 3)
    ('190', '190.25', '0.333333')
    """
    return f"{value:.{DIGITS}g}" if abs(value) >= 1 else f"{value:.6g}"


def span_name(span_ms: int) -> str:
    """Return how long a bar is; one without a length is whatever its source sends.

    >>> span_name(60_000), span_name(90_000), span_name(0)
    ('1m', '90 s', 'each bar')
    """
    return SPAN_NAMES.get(span_ms) or (f"{number(span_ms / 1_000)} s" if span_ms else "each bar")


def crossed(told: a.Indicators, level: float, before: float, now: float) -> str:
    """Say that the last price has crossed a price."""
    way = "upwards" if before < now else "downwards"
    return f"{told.symbol} crossed {number(level)} {way}: {number(now)}, before {number(before)}"


def changed(summary: a.SymbolSummary, percent: float) -> str:
    """Say how much the price has changed in the session."""
    way = "up" if summary.change > 0 else "down"
    return f"{summary.symbol} is {way} {abs(summary.change):.2%} in this session, the alert is at {number(percent)}%"


def traded(candle: a.Candle, times: float, average: float) -> str:
    """Say how much more than usual was traded in a candle."""
    span = span_name(candle.span_ms)
    return f"{candle.symbol} traded {candle.volume:,} lots in {span}, {times:.2f} times the {average:,.1f} of the candles before"


def got(told: a.Indicators, name: str, direction: str, level: float) -> str:
    """Say that an indicator has got beyond a value."""
    where = span_name(told.span_ms) + ("" if told.source == a.TRADES_SOURCE else f" of {told.source}")
    return f"{told.symbol} {name} got {direction} {number(level)}: {number(told.values[name])} ({where})"


def signalled(signal: a.Signal) -> str:
    """Say what a rule says, and why."""
    return f"{signal.symbol} {signal.rule} says {signal.action} ({span_name(signal.span_ms)}): {signal.reason}"


def filled(fill: OrderFilled) -> str:
    """Say what an order has traded. An account's reports know ticks and lots, not what one is worth."""
    did = "bought" if fill.side == "buy" else "sold"
    rest = f"{fill.leaves:,} lots are left" if fill.leaves else "it is complete"
    return f"Your order {fill.order_id} {did} {fill.quantity:,} lots of {fill.symbol} at {fill.price:,} ticks; {rest}"
