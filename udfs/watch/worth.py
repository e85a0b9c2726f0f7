"""What a tick and a lot are worth, as floating-point numbers for statistics."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, Self

from exchange.instruments import Instrument


class Worth(NamedTuple):
    """A tick in the quote asset and a lot in the base asset, as fractions, so that each conversion rounds once."""

    tick: tuple[int, int]
    lot: tuple[int, int]

    @classmethod
    def of(cls, instrument: Instrument) -> Self:
        """Return what an instrument's ticks and lots are worth."""
        return cls(_ratio(instrument.tick), _ratio(instrument.lot))

    def price(self, ticks: float) -> float:
        """Convert a price in ticks.

        >>> Worth((1, 100), (1, 1)).price(1234)
        12.34
        """
        return ticks * self.tick[0] / self.tick[1]

    def quantity(self, lots: float) -> float:
        """Convert a quantity in lots."""
        return lots * self.lot[0] / self.lot[1]

    def cash(self, turnover: int) -> float:
        """Convert a sum of ticks times lots to the quote asset."""
        return turnover * self.tick[0] * self.lot[0] / (self.tick[1] * self.lot[1])


@lru_cache(maxsize=4_096)
def _ratio(text: str) -> tuple[int, int]:
    return Decimal(text).as_integer_ratio()
