"""What of an order goes together: kind, time in force and conditions. docs/MATCHING.md, rule 3, has the table."""

from __future__ import annotations

from typing import Final, Protocol

from exchange.messages import STOP_KINDS, Conditions, Kind, RejectReason, TimeInForce

RESTING: Final[frozenset[TimeInForce]] = frozenset(("GTC", "GTD", "DAY"))
"""Times in force under which an order may rest."""
AUCTION_ONLY: Final[frozenset[TimeInForce]] = frozenset(("OPG", "CLS"))

PARTS_MAX: Final = 1_000
"""How many times what it shows an iceberg may hold: each part that comes up is an event of its own."""

_FORCES: Final[dict[Kind, frozenset[TimeInForce]]] = {
    "limit": RESTING | AUCTION_ONLY | {"IOC", "FOK"},
    "market": AUCTION_ONLY | {"IOC", "FOK"},
    "market-to-limit": RESTING,
    "stop": RESTING,
    "stop-limit": RESTING,
    "trailing-stop": RESTING,
    "pegged": RESTING,
}
_PLAIN: Final = Conditions()


class Terms(Protocol):
    """What every form of an order says of itself."""

    @property
    def kind(self) -> Kind: ...
    @property
    def time_in_force(self) -> TimeInForce: ...
    @property
    def expires_ms(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def conditions(self) -> Conditions | None: ...


def flaw(order: Terms) -> RejectReason | None:
    """Say what of an order does not go together, or None."""
    if (order.time_in_force == "GTD") != bool(order.expires_ms) or order.time_in_force not in _FORCES[order.kind]:
        return "INVALID_TIME_IN_FORCE"
    if order.conditions is None:
        return None if order.kind in ("limit", "market", "market-to-limit") else "INVALID_CONDITIONS"
    return None if _agree(order, order.conditions) else "INVALID_CONDITIONS"


def _agree(order: Terms, asked: Conditions) -> bool:
    kind, rests = order.kind, order.time_in_force in RESTING
    needed = (
        bool(asked.stop) or kind not in ("stop", "stop-limit"),
        not asked.stop or kind in STOP_KINDS,
        bool(asked.trail) == (kind == "trailing-stop"),
        bool(asked.peg) == (kind == "pegged"),
        not asked.offset or kind == "pegged",
    )
    display = not asked.display or (
        kind in ("limit", "stop-limit")
        and rests
        and asked.display <= order.quantity <= PARTS_MAX * asked.display
        and not asked.all_or_none
    )
    post_only = not asked.post_only or (kind == "limit" and rests and not asked.min_quantity and not asked.all_or_none)
    minimum = not asked.min_quantity or (
        (kind == "limit" or (kind == "market" and order.time_in_force == "IOC"))
        and asked.min_quantity <= order.quantity
        and order.time_in_force not in ("FOK", "OPG", "CLS")
        and not asked.all_or_none
    )
    whole = not asked.all_or_none or (kind == "limit" and rests)
    return all(needed) and display and post_only and minimum and whole


def leg_flaw(order: Terms) -> RejectReason | None:
    """Say what keeps an order from being one of a pair of which one cancels the other, or None (rule 26)."""
    found = flaw(order)
    if found is not None:
        return found
    asked = order.conditions or _PLAIN
    fits = order.time_in_force in RESTING and order.kind != "market-to-limit"
    return None if fits and not asked.all_or_none and not asked.min_quantity else "INVALID_CONDITIONS"


def can_wait(order: Terms) -> bool:
    """Say whether an order may come while nothing trades (rule 41)."""
    asked = order.conditions or _PLAIN
    return order.time_in_force not in ("IOC", "FOK") and order.kind != "market-to-limit" and not asked.min_quantity
