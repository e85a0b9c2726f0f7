"""What a test's venue is like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openbell.sim.world import SimSettings


@dataclass(frozen=True, kw_only=True)
class VenueSettings:
    """`symbols` are of the listing file (None: the one that is installed); `cash` is what the account begins with of each currency.

    With `makers` the books are quoted once at the beginning, with prices that `seed` tells.
    """

    symbols: tuple[str, ...] = ("AAPL", "MSFT")
    listings: Path | None = None
    cash: int = 1_000_000
    makers: bool = False
    analysis: bool = True
    seed: int = 1

    def simulated(self) -> SimSettings:
        """Return the settings of the simulated venue. Raises SettingError."""
        from openbell.errors import SettingError
        from openbell.listings import load
        from openbell.sim.world import SimSettings

        listed = load(self.listings)
        missing = [symbol for symbol in self.symbols if symbol not in listed]
        if missing:
            raise SettingError(f"there is no listing of {', '.join(missing)}; there are those of {', '.join(listed)}")
        return SimSettings(
            listings={symbol: listed[symbol] for symbol in self.symbols},
            cash=self.cash,
            makers=self.makers,
            analysis=self.analysis,
            seed=self.seed,
            virtual=True,
        )
