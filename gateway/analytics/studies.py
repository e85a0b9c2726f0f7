"""What a market's chart can show beside its candles: the indicators by what they are called, and which of them an address asks for.

The names, and after how many bars each is warm, are those of the `indicators` job (`docs/ANALYTICS.md` 3.3); a test holds them to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypeAlias

from gateway.shown import Shown

Place: TypeAlias = Literal["candles", "pane"]


class Study(Shown, frozen=True):
    """An indicator as it is drawn: over the candles, or in a pane of its own. `key` names it in addresses and forms.

    `outputs` are the names of its values, `bars` how many bars it takes to the first of them, `bounds` levels to draw beside it.
    """

    key: str
    label: str
    outputs: tuple[str, ...]
    bars: int
    place: Place
    bounds: tuple[int, ...] = ()


LINES: Final = tuple(
    Study(key=key, label=label, outputs=outputs, bars=bars, place="candles")
    for key, label, outputs, bars in (
        ("sma20", "SMA 20", ("sma(20)",), 20),
        ("sma50", "SMA 50", ("sma(50)",), 50),
        ("ema12", "EMA 12", ("ema(12)",), 12),
        ("ema26", "EMA 26", ("ema(26)",), 26),
        ("wma20", "WMA 20", ("wma(20)",), 20),
        ("vwap20", "VWAP 20", ("vwap(20)",), 20),
        ("bollinger", "Bollinger", ("bollinger(20,2).upper", "bollinger(20,2).middle", "bollinger(20,2).lower"), 20),
    )
)
"""What is drawn over the candles, because it is a price."""
PANES: Final = tuple(
    Study(key=key, label=label, outputs=outputs, bars=bars, bounds=bounds, place="pane")
    for key, label, outputs, bars, bounds in (
        ("rsi", "RSI 14", ("rsi(14)",), 15, (30, 70)),
        ("macd", "MACD 12, 26, 9", ("macd(12,26,9).histogram", "macd(12,26,9)", "macd(12,26,9).signal"), 34, (0,)),
        ("stochastic", "Stochastic 14, 3, 3", ("stochastic(14,3,3).k", "stochastic(14,3,3).d"), 18, (20, 80)),
        ("atr", "ATR 14", ("atr(14)",), 15, ()),
        ("volatility", "Volatility 20", ("volatility(20)",), 21, ()),
        ("obv", "OBV", ("obv",), 1, ()),
    )
)
"""What is drawn in a pane of its own, one at a time."""
STUDIES: Final = (*LINES, *PANES)
OUTPUTS: Final = tuple(output for study in STUDIES for output in study.outputs)
"""All values that a chart may draw, in the order in which they are handed to it."""
BOOK: Final = {
    "spread": "Spread",
    "depth_imbalance(5)": "Depth imbalance of 5 prices",
    "order_flow_imbalance": "Order-flow imbalance",
}
"""The measures of the book, and what they are called."""
RULES: Final = (
    "vote",
    "sma-cross(20,50)",
    "ema-cross(12,26)",
    "rsi-bounds(14,30,70)",
    "macd-cross(12,26,9)",
    "bollinger-breakout(20,2)",
    "candle",
    "order-flow",
    "news",
    "forecast",
)
"""The rules that give signals, the rule of all of them first."""


class Chosen(Shown, frozen=True):
    """What a chart shows: the keys of `LINES`, that of one of `PANES` (empty: none), and the rule whose signals are marked (empty: none)."""

    lines: tuple[str, ...] = ("sma20", "bollinger")
    pane: str = "rsi"
    marks: str = RULES[0]


def chosen(query: Mapping[str, str], lines: Collection[str]) -> Chosen:
    """Return what an address asks for: all of it where it names a pane, the usual where it does not. What there is not is left out.

    >>> chosen({"pane": "macd", "marks": "none"}, ["ema12", "elliott"])
    Chosen(lines=('ema12',), pane='macd', marks='')
    >>> chosen({}, ()) == Chosen()
    True
    """
    if "pane" not in query:
        return Chosen()
    return Chosen(
        lines=tuple(study.key for study in LINES if study.key in lines),
        pane=next((study.key for study in PANES if study.key == query["pane"]), ""),
        marks=next((rule for rule in RULES if rule == query.get("marks")), ""),
    )


def warm_up(study: Study, bars: int, values: Mapping[str, Any]) -> str:
    """Say why a study has no values after so many bars of its series; empty if it has.

    >>> warm_up(LINES[0], 12, {}), warm_up(LINES[0], 20, {"sma(20)": 1.5})
    ('not warm yet: 12 of 20 bars', '')
    """
    if any(output in values for output in study.outputs):
        return ""
    return f"not warm yet: {bars} of {study.bars} bars" if bars < study.bars else "none of this bar"
