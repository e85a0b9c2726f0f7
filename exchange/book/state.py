"""All that a book knows but its orders: the durable part that is written with every packet."""

from __future__ import annotations

import msgspec

from exchange.instruments import Instrument, Rules
from exchange.messages import Phase

CHECKSUM_EVERY = 32
"""How many events come between two checksums."""
PLANNED_MAX = 1_000
"""Greatest number of phases planned ahead."""


class State(msgspec.Struct, omit_defaults=True):
    """Counters of what was published, what is traded and how, and where the market stands.

    `last` is the price of the last trade and `auction_price` that of the last auction that traded (0: none yet); `planned` are phases
    with their times; `interrupted_ms` is when an interruption ends (0: there is none); `indicated` is the last indication;
    `fired` are triggered orders whose turn to be matched has not come.
    """

    now_ms: int = 0
    inbound: dict[str, int] = msgspec.field(default_factory=dict)
    outbound: dict[str, int] = msgspec.field(default_factory=dict)
    listing: int = 0
    instrument: Instrument | None = None
    halted: bool = False
    arrivals: int = 0
    trades: int = 0
    deltas: int = 0
    snapshots: int = 0
    snapshot_due: int = 0
    rules: Rules = msgspec.field(default_factory=Rules)
    delisted: bool = False
    phase: Phase = "continuous"
    planned: list[tuple[int, Phase]] = msgspec.field(default_factory=list)
    interrupted_ms: int = 0
    last: int = 0
    auction_price: int = 0
    indicated: tuple[int, int, int] = (0, 0, 0)
    fired: list[int] = msgspec.field(default_factory=list)
    busted: list[int] = msgspec.field(default_factory=list)
    checksum_due: int = CHECKSUM_EVERY
    order_deltas: int = 0

    @property
    def reference(self) -> int:
        """The price that collar and band are measured from; 0: there is none."""
        return self.auction_price or self.rules.reference

    @property
    def plain(self) -> bool:
        """Whether a plain limit order needs no further check."""
        return self.phase == "continuous" and not self.rules.collar_ppm and not self.rules.pairs
