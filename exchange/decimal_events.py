"""A book's events as people read them: decimal strings for ticks, lots and minor units, and no channels."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from exchange.instruments import Instrument
from exchange.messages import (
    AuctionIndicated,
    BookChecksum,
    BookDelta,
    FeeCollected,
    OrderDelta,
    PhaseChanged,
    Trade,
    TradeBusted,
)
from exchange.money import from_units, minor_step

PRICES: Final = ("price", "stop", "trail", "offset")
QUANTITIES: Final = ("quantity", "leaves", "volume", "imbalance", "display", "min_quantity")
FEES: Final = ("fee",)
_PUBLIC: Final = (Trade, BookDelta, BookChecksum, PhaseChanged, AuctionIndicated, TradeBusted, OrderDelta)
"""Events whose `seq` says where they stand among their like, so that it stays."""


def written(event: Any, instrument: Instrument) -> dict[str, Any]:
    """Return an event's fields; what numbers its channel is left out, and so is the account of an order that nobody knows."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    if not isinstance(event, _PUBLIC):
        del fields["source"], fields["seq"]
    if fields.get("account") == "":
        del fields["account"]
    _write(fields, instrument)
    if "conditions" in fields:
        _write(fields["conditions"], instrument)
    if isinstance(event, FeeCollected):
        fields["amount"] = _money(event.amount, instrument)
    return fields


def _write(fields: dict[str, Any], instrument: Instrument) -> None:
    """Turn the amounts among some fields into decimal strings."""
    for name in PRICES:
        if name in fields:
            fields[name] = instrument.price_text(fields[name])
    for name in QUANTITIES:
        if name in fields:
            fields[name] = instrument.quantity_text(fields[name])
    for name in FEES:
        if name in fields:
            fields[name] = _money(fields[name], instrument)


def _money(units: int, instrument: Instrument) -> str:
    return from_units(units, minor_step(instrument.quote_scale))
