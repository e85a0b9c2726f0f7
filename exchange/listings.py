"""What an account shard knows of the symbols: every version of each listing, whether it is delisted, and its fees.

Theory of operation: an order keeps the listing that it was admitted under, since its price counts in that version's ticks and
its quantity in that version's lots. A trade may be undone long after it, so no version is ever forgotten; they are few.
"""

from __future__ import annotations

import msgspec

from exchange.errors import InvalidPacket
from exchange.instruments import Instrument
from exchange.messages import Delist, FeeTier, ListInstrument, SetFees


class Listed:
    """One version of a listing, with what settling a fill needs of it at hand."""

    __slots__ = ("base", "instrument", "lot_units", "notional_units", "quote", "version")

    def __init__(self, instrument: Instrument, version: int = 1) -> None:
        self.instrument = instrument
        self.version = version
        self.base = instrument.base
        self.quote = instrument.quote
        self.lot_units = instrument.lot_units
        self.notional_units = instrument.notional_units


class Market:
    """A symbol: its newest listing, all versions of it, and the fees of its orders by tier."""

    __slots__ = ("current", "delisted", "tiers", "versions")

    def __init__(self, first: Listed) -> None:
        self.current = first
        self.versions = {first.version: first}
        self.delisted = False
        self.tiers: list[FeeTier] = []

    def fees(self, tier: int) -> tuple[int, int]:
        """Return what a maker and a taker of a tier pay, in millionths; a tier that is not there has the last one."""
        if not self.tiers:
            return 0, 0
        fees = self.tiers[min(tier, len(self.tiers) - 1)]
        return fees.maker, fees.taker


class ListingRow(msgspec.Struct, frozen=True):
    """The durable form of one version of a listing."""

    instrument: Instrument
    version: int


class Markets:
    """The symbols of a shard."""

    def __init__(self, rows: list[ListingRow], delisted: list[str], fees: dict[str, list[FeeTier]]) -> None:
        """Load what `rows`, `delisted` and `fees` have given."""
        self.by_symbol: dict[str, Market] = {}
        for row in rows:
            self._add(Listed(row.instrument, row.version))
        for symbol, market in self.by_symbol.items():
            market.delisted = symbol in delisted
            market.tiers = fees.get(symbol, [])

    def rows(self) -> list[ListingRow]:
        """Return every version of every listing, each symbol's in the order they came."""
        return [
            ListingRow(listed.instrument, listed.version)
            for market in self.by_symbol.values()
            for listed in market.versions.values()
        ]

    def delisted(self) -> list[str]:
        """Return the symbols that are off the market."""
        return [symbol for symbol, market in self.by_symbol.items() if market.delisted]

    def fees(self) -> dict[str, list[FeeTier]]:
        """Return the fees by symbol, of those that have any."""
        return {symbol: market.tiers for symbol, market in self.by_symbol.items() if market.tiers}

    def take(self, command: ListInstrument) -> None:
        """Take a new listing, or a newer version of one, which may change its tick and lot; an older one changes nothing.

        Raises:
            InvalidPacket: if the symbol is another instrument, the version another one, or an asset has other decimals.
        """
        instrument = command.instrument
        market = self.by_symbol.get(instrument.symbol)
        if market is None:
            self._agree(instrument)
        else:
            known = market.versions.get(command.version)
            if _pair(instrument) != _pair(market.current.instrument) or (known and known.instrument != instrument):
                raise InvalidPacket(f"{instrument.symbol} is listed as another instrument")
            if command.version <= market.current.version:
                return
        self._add(Listed(instrument, command.version))

    def delist(self, command: Delist) -> None:
        """Take no new orders of a symbol until a newer version of it is listed."""
        self._market(command.symbol).delisted = True

    def set_fees(self, command: SetFees) -> None:
        """Change what orders of a symbol pay from now on."""
        self._market(command.symbol).tiers = command.tiers

    def _market(self, symbol: str) -> Market:
        market = self.by_symbol.get(symbol)
        if market is None:
            raise InvalidPacket(f"{symbol} is not listed")
        return market

    def _agree(self, instrument: Instrument) -> None:
        for other in self.by_symbol.values():
            if not instrument.agrees_with(other.current.instrument):
                symbol = other.current.instrument.symbol
                raise InvalidPacket(f"{instrument.symbol} gives an asset other decimals than {symbol}")

    def _add(self, listed: Listed) -> None:
        market = self.by_symbol.get(listed.instrument.symbol)
        if market is None:
            self.by_symbol[listed.instrument.symbol] = Market(listed)
        else:
            market.current = market.versions[listed.version] = listed
            market.delisted = False


def _pair(instrument: Instrument) -> tuple[str, str, int, int]:
    """Return what no version of a listing may change."""
    return instrument.base, instrument.quote, instrument.base_scale, instrument.quote_scale
