"""Finds what a client of another design means: there a stock is named by itself (AAPL), here a market by what is paid, too (AAPLUSD)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from exchange.instruments import Instrument


def find(name: str, instruments: Mapping[str, Instrument]) -> Instrument | None:
    """Return the instrument that is listed under a name or, if there is none, the only one of which it is the base; None: neither.

    >>> listed = {pair: Instrument(symbol=pair, base=pair[:3], quote=pair[3:]) for pair in ("RILINR", "BTCUSD", "BTCINR")}
    >>> [found.symbol if (found := find(name, listed)) else None for name in ("RILINR", "RIL", "BTC", "TCS")]
    ['RILINR', 'RILINR', None, None]
    """
    listed = instruments.get(name)
    if listed is not None:
        return listed
    found = [one for one in instruments.values() if one.base == name]
    return found[0] if len(found) == 1 else None


def names(instruments: Mapping[str, Instrument]) -> dict[str, Instrument]:
    """Return the instruments by the names by which such clients know them: their bases, where those will do."""
    bases = Counter(one.base for one in instruments.values())
    return {
        one.base if bases[one.base] == 1 and one.base not in instruments else one.symbol: one
        for one in instruments.values()
    }
