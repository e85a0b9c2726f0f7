"""How much of a book an amount of the quote asset buys, or how much must be sold for it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from exchange.instruments import Instrument
from gateway.shown import Level


def lots_for(
    levels: Iterable[tuple[int, int]], units: int, notional_units: int, reservable: int | None = None
) -> tuple[int, int]:
    """Return how many lots may trade, best price first, without being worth more than `units`, and the price that the last of them trades at.

    `levels` are prices in ticks and lots; `notional_units` is what one lot is worth at one tick. A book that is too thin gives all it has.
    All lots at the last price are worth `reservable` at most, if that is said: so much of the quote asset can be set aside for them.

    >>> lots_for([(100, 5), (110, 5)], 1_000, 1), lots_for([(100, 5)], 99, 1)
    ((9, 110), (0, 0))
    >>> lots_for([(100, 5), (110, 5)], 1_000, 1, reservable=980), lots_for([(100, 5), (110, 5)], 610, 1, reservable=610)
    ((8, 110), (5, 100))
    """
    total = last = 0
    for price, lots in levels:
        taken = min(lots, units // (price * notional_units))
        if reservable is not None:
            taken = min(taken, reservable // (price * notional_units) - total)
        if taken <= 0:
            break
        total, last = total + taken, price
        units -= taken * price * notional_units
        if taken < lots:
            break
    return total, last


def worth(
    levels: Iterable[Level], amount: str, instrument: Instrument, available: Decimal | None = None
) -> tuple[str, str]:
    """Return the quantity, and the price of its last lot, that an amount of the quote asset is enough for; empty: for not even one lot.

    A buy reserves the whole quantity at its last price. If `available`, what the account has to reserve, is enough for the amount, it is for the order, too.

    >>> from exchange.instruments import Instrument
    >>> asks = [Level("100.00", "5", "5", 50), Level("110.00", "5", "10", 100)]
    >>> worth(asks, "940", Instrument(symbol="AAPLUSD", base="AAPL", quote="USD"), Decimal(940))
    ('8', '110.00')
    """
    counted = [(instrument.price_ticks(level.price), instrument.quantity_lots(level.quantity)) for level in levels]
    units = int(Decimal(amount).scaleb(instrument.quote_scale))
    lots, price = lots_for(counted, units, instrument.notional_units)
    if available is not None and available >= Decimal(amount):
        reservable = int(available.scaleb(instrument.quote_scale))
        lots, price = lots_for(counted, units, instrument.notional_units, reservable)
    return (instrument.quantity_text(lots), instrument.price_text(price)) if lots else ("", "")
