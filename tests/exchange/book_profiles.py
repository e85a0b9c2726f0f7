"""The markets that the seeded flow (`book_flow`) trades on, and how often it does what on each."""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange import messages as m
from exchange.clock import VenueClock
from exchange.instruments import Rules

ACCOUNTS = ("alice", "bob", "carol", "dave", m.MARKET)
PLAIN = {"enter": 65, "pull": 14, "revise": 8, "swap": 2, "tick": 2, "resume": 0.5, "again": 1}
ALL = PLAIN | {"pair": 6, "phase": 0.5, "cancel_symbol": 0.3, "bust": 1, "list": 0.3, "delist": 0.1}


@dataclass(frozen=True)
class Profile:
    """How a market is traded; chances are of 1."""

    rules: tuple[Rules, ...] = (Rules(),)
    acts: dict[str, float] = field(default_factory=lambda: ALL)
    spread: int = 8
    special: float = 0.3
    """The chance that an order is more than a plain limit order."""
    wrong: float = 0.02
    """The chance that an order has terms by pure chance."""
    fees: bool = False
    accounts: tuple[str, ...] = ACCOUNTS
    live_max: int = 60
    """With more orders than this on the book, every second command is a cancel."""
    flood: bool = False
    clock: VenueClock = "live"


BY_ORDER = Rules(order_by_order=True)
PRO_RATA = Rules(matching="pro-rata")
PROFILES = {
    "calm": Profile(acts=PLAIN, spread=30, special=0.0, wrong=0.0),
    "crossing": Profile(acts=ALL, spread=3, special=0.1),
    "specials": Profile(special=0.8, spread=5),
    "one-hand": Profile(special=0.8, spread=3, accounts=("alice", "alice", "bob", m.MARKET)),
    "replayed": Profile(special=0.5, spread=5, clock="replay", acts=ALL | {"advance": 5}),
    "stops": Profile(special=0.9, spread=12, acts=ALL | {"pair": 20}),
    "auctions": Profile(acts=ALL | {"phase": 8}, special=0.5, spread=6, fees=True),
    "sessions": Profile(acts=ALL | {"phase": 4}, rules=(BY_ORDER, PRO_RATA, Rules(band_ppm=50_000)), special=0.6),
    "interrupted": Profile(
        rules=(
            Rules(band_ppm=30_000, collar_ppm=60_000, interruption_ms=100),
            Rules(band_ppm=20_000, interruption_ms=400, order_by_order=True),
            Rules(band_ppm=40_000, interruption_ms=50, matching="pro-rata"),
        ),
        acts=ALL | {"phase": 2},
        special=0.5,
        spread=6,
    ),
    "collar": Profile(rules=(Rules(collar_ppm=30_000),), acts=ALL, spread=5),
    "pro-rata": Profile(
        rules=(
            PRO_RATA,
            Rules(matching="pro-rata", top_order=True, order_by_order=True),
            Rules(matching="pro-rata", minimum_lots=2),
            Rules(matching="pro-rata", top_order=True, minimum_lots=3),
        ),
        spread=2,
    ),
    "exact": Profile(
        rules=(Rules(matching="exact"), Rules(matching="exact", order_by_order=True)),
        special=0.05,
        spread=3,
    ),
    "equal-quantity": Profile(
        rules=(Rules(matching="equal-quantity"), Rules(matching="equal-quantity", window_ms=200)),
        special=0.05,
        spread=4,
    ),
    "fees": Profile(fees=True, spread=3),
    "order-by-order": Profile(rules=(BY_ORDER,), special=0.5, spread=4),
    "wrong": Profile(wrong=0.5, acts=ALL | {"again": 8}),
    "listings": Profile(
        rules=(
            Rules(),
            BY_ORDER,
            Rules(matching="exact"),
            PRO_RATA,
            Rules(matching="equal-quantity", window_ms=100),
            Rules(collar_ppm=100_000),
        ),
        acts=ALL | {"list": 4, "delist": 1, "phase": 2},
    ),
    "full": Profile(flood=True, live_max=1_200, special=0.4),
}
