"""What a rule sees of one closed bar."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exchange.analysis import Indicators


class Observation(msgspec.Struct, frozen=True, gc=False):
    """A closed bar with its indicators by name; `end_ms` is when it could first be known. Prices in the quote asset.

    Beside the indicators, `values` may have `news` (the last sentiment no older than an hour, score x magnitude), `order_flow` (the
    book's order-flow imbalance over the bar's last minute) and `forecast` (a model's probability that the price rises).
    """

    start_ms: int
    end_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    values: Mapping[str, float]

    @classmethod
    def of(cls, indicators: Indicators, **more: float) -> Observation:
        """Return what `indicators` say, and `more` values. A bar without a span ends when it begins."""
        told = indicators
        values = {**told.values, **more} if more else told.values
        end_ms = told.start_ms + told.span_ms
        return cls(told.start_ms, end_ms, told.open, told.high, told.low, told.close, told.volume, values)
