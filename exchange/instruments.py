"""What can be traded: a symbol, its tick and lot, and what one of each is worth in minor units."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from exchange.errors import ExchangeError, InvalidInstrument
from exchange.money import from_units, minor_step, to_units

Symbol = Annotated[str, Meta(pattern=r"^[A-Z0-9._-]{1,32}\Z")]
Asset = Annotated[str, Meta(pattern=r"^[A-Z0-9._]{1,16}\Z")]
Scale = Annotated[int, Meta(ge=0, le=12)]

Rule: TypeAlias = Literal["price-time", "pro-rata", "exact", "equal-quantity"]

WORTH_MAX = 2**20
"""Greatest number of minor units that one tick times one lot, or one lot, may be worth."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A listed pair: `base` is bought and sold, `quote` is paid.

    `tick` is the price step in `quote`, `lot` the quantity step in `base`, both decimal strings; `base_scale` and
    `quote_scale` are the decimals of one minor unit of each asset.

    Raises:
        InvalidInstrument: if a lot is no whole number of base units, or a tick times a lot no whole number of quote
            units (then some trades could not be paid exactly).
    """

    symbol: Symbol
    base: Asset
    quote: Asset
    tick: str = "0.01"
    lot: str = "1"
    base_scale: Scale = 0
    quote_scale: Scale = 2

    def __post_init__(self) -> None:
        """Check that every trade can be paid exactly."""
        if self.base == self.quote:
            raise InvalidInstrument(f"{self.symbol}: base and quote are both {self.base}")
        for name, worth in (("lot", self.lot_units), ("tick times lot", self.notional_units)):
            if not 1 <= worth <= WORTH_MAX:
                raise InvalidInstrument(f"{self.symbol}: one {name} is worth {worth} minor units, not 1 to {WORTH_MAX}")

    @property
    def lot_units(self) -> int:
        """Minor units of `base` in one lot."""
        return _units(self.symbol, self.lot, self.base_scale)

    @property
    def notional_units(self) -> int:
        """Minor units of `quote` that one lot costs at a price of one tick."""
        return _notional_units(self.symbol, self.tick, self.lot, self.quote_scale)

    def continues(self, before: Instrument) -> bool:
        """Say whether this is the same instrument, at most with another tick or lot."""
        return (self.symbol, self.base, self.quote, self.base_scale, self.quote_scale) == (
            before.symbol,
            before.base,
            before.quote,
            before.base_scale,
            before.quote_scale,
        )

    def agrees_with(self, other: Instrument) -> bool:
        """Say whether both count the assets that they share in the same minor units."""
        scales = {self.base: self.base_scale, self.quote: self.quote_scale}
        return all(
            scales.get(asset, scale) == scale
            for asset, scale in ((other.base, other.base_scale), (other.quote, other.quote_scale))
        )

    def price_ticks(self, text: str) -> int:
        """Convert a decimal price to ticks, or raise `InvalidAmount`."""
        return to_units(text, self.tick)

    def price_text(self, ticks: int) -> str:
        """Write a price in ticks as a decimal string."""
        return from_units(ticks, self.tick)

    def quantity_lots(self, text: str) -> int:
        """Convert a decimal quantity to lots, or raise `InvalidAmount`."""
        return to_units(text, self.lot)

    def quantity_text(self, lots: int) -> str:
        """Write a quantity in lots as a decimal string."""
        return from_units(lots, self.lot)


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a listed instrument is traded; docs/MATCHING.md says what each does. 0 switches a rule off.

    `matching` says who trades with whom; `top_order` and `minimum_lots` go with pro-rata, `window_ms` with equal-quantity. Collar and band
    are in millionths of the reference price, which is `reference`, in ticks, until an auction has made one; a trade beyond the band interrupts the market for `interruption_ms`.
    `order_by_order` publishes every resting order, without its owner.
    """

    matching: Rule = "price-time"
    top_order: bool = False
    minimum_lots: Annotated[int, Meta(ge=0, le=2**40)] = 0
    window_ms: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    reference: Annotated[int, Meta(ge=0, le=2**40)] = 0
    collar_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    band_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    interruption_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 120_000
    order_by_order: bool = False

    @property
    def pairs(self) -> bool:
        """Whether whole orders of one size trade in pairs: one of the seeds' rules."""
        return self.matching in ("exact", "equal-quantity")

    def keeps_orders_of(self, before: Rules) -> bool:
        """Say whether a book that goes over to these rules keeps its orders (docs/MATCHING.md, rule 37)."""
        return self.matching == before.matching or not (self.pairs or before.pairs)


@lru_cache(maxsize=65_536)
def _units(symbol: str, amount: str, scale: int) -> int:
    try:
        return to_units(amount, minor_step(scale))
    except ExchangeError as error:
        raise InvalidInstrument(f"{symbol}: {error}") from error


@lru_cache(maxsize=65_536)
def _notional_units(symbol: str, tick: str, lot: str, quote_scale: int) -> int:
    tick_numerator, tick_scale = _whole(tick)
    lot_numerator, lot_scale = _whole(lot)
    return _units(symbol, from_units(tick_numerator * lot_numerator, minor_step(tick_scale + lot_scale)), quote_scale)


def _whole(text: str) -> tuple[int, int]:
    """Split a decimal string into an integer and its number of decimals."""
    fraction = text.partition(".")[2]
    try:
        return to_units(text, minor_step(len(fraction))), len(fraction)
    except ExchangeError as error:
        raise InvalidInstrument(str(error)) from error
