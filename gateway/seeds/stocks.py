"""What is told of a stock: the 17 fields of which clients build an object, no more and no fewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange.instruments import Instrument
from exchange.listing_file import StockDetails
from gateway.analytics.shown import FundamentalsShown
from gateway.seeds.names import find, names
from gateway.shown import Shown


class StockShown(Shown, frozen=True):
    """A stock. What nobody has told of it is None: nothing is made up."""

    symbol: str
    name: str | None = None
    exchange: str | None = None
    currency: str | None = None
    country: str | None = None
    sector: str | None = None
    industry: str | None = None
    market_cap: float | None = None
    beta: float | None = None
    pe_ratio: float | None = None
    eps: float | None = None
    dividend_yield: float | None = None
    dividend_per_share: float | None = None
    dividend_pay_date: str | None = None
    dividend_ex_date: str | None = None
    last_split_factor: str | None = None
    last_split_date: str | None = None


class TradableShown(Shown, frozen=True):
    """How a stock is traded here: its name among these clients, the symbol that it is listed under, and what price and quantity are multiples of."""

    symbol: str
    listed: str
    base: str
    quote: str
    tick: str
    lot: str


class Stocks:
    """Tells of stocks by what is listed, by the listing file's details, and by what was told from outside, which is the newest."""

    def __init__(self, details: Mapping[str, StockDetails]) -> None:
        self._details = details

    def show(
        self, name: str, instruments: Mapping[str, Instrument], told: Mapping[str, FundamentalsShown]
    ) -> StockShown | None:
        """Return a stock by a client's name; None if it is neither listed nor in the listing file."""
        instrument = find(name, instruments)
        if instrument is None and name not in self._details:
            return None
        return self._show(name, instrument, told)

    def _show(self, name: str, instrument: Instrument | None, told: Mapping[str, FundamentalsShown]) -> StockShown:
        listed, base = (name, name) if instrument is None else (instrument.symbol, instrument.base)
        known, newest = self._details.get(listed) or self._details.get(base), told.get(listed)
        fields: dict[str, Any] = {}
        if known is not None:
            fields = {field: getattr(known, field) for field in known.__struct_fields__}
        elif instrument is not None:
            fields = {"currency": instrument.quote}
        if newest is not None:
            fields |= {"market_cap": newest.market_cap, "pe_ratio": newest.pe_ratio}
        return StockShown(**{**fields, "symbol": name})

    def show_all(
        self, instruments: Mapping[str, Instrument], told: Mapping[str, FundamentalsShown]
    ) -> list[StockShown]:
        """Return all that are listed, by name."""
        shown = (self._show(name, one, told) for name, one in sorted(names(instruments).items()))
        return list(shown)


def tradable(instruments: Mapping[str, Instrument]) -> list[TradableShown]:
    """Return how all listed stocks are traded, by name."""
    return [
        TradableShown(symbol=name, listed=one.symbol, base=one.base, quote=one.quote, tick=one.tick, lot=one.lot)
        for name, one in sorted(names(instruments).items())
    ]
