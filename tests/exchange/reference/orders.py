"""An order as the plain book keeps it, and rule 3: what of an order goes together."""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange.messages import Conditions, EnterOrder, RejectReason

RESTING = ("GTC", "GTD", "DAY")
AUCTION = ("OPG", "CLS")
STOPS = ("stop", "stop-limit", "trailing-stop")
DISPLAYS_MAX = 1_000
"""How many times its display the quantity of an iceberg may be."""


@dataclass(eq=False)
class Order:
    """One live order. `limit` is its price or protection price; `price` and `seen` count only while it rests."""

    entered: EnterOrder
    number: int
    arrived_ms: int
    limit: int
    quantity: int
    kind: str
    filled: int = 0
    resting: bool = False
    price: int = 0
    seen: int = 0
    stop: int = 0
    other: Order | None = None
    told: tuple[int, int, int] | None = None
    """Number, price and quantity of its last order delta, if that did not say that it is gone."""

    # What never changes
    order_id: int = field(init=False)
    account: str = field(init=False)
    side: str = field(init=False)
    force: str = field(init=False)
    expires_ms: int = field(init=False)
    asked: Conditions = field(init=False)

    def __post_init__(self) -> None:
        self.order_id, self.account = self.entered.order_id, self.entered.account
        self.side, self.force = self.entered.side, self.entered.time_in_force
        self.expires_ms = self.entered.expires_ms
        self.asked = self.entered.conditions or Conditions()

    @property
    def leaves(self) -> int:
        return self.quantity - self.filled

    @property
    def waiting_stop(self) -> bool:
        return self.kind in STOPS

    def most_seen(self) -> int:
        """Return what is seen of it when it comes up."""
        return min(self.asked.display, self.leaves) if self.asked.display else self.leaves

    def meets(self, price: int, limit: int) -> bool:
        """Say whether an opposite price lies within a limit of this order's side."""
        return price <= limit if self.side == "buy" else price >= limit

    def sets_off(self, price: int) -> bool:
        """Say whether a trade at this price triggers the stop."""
        if not self.stop:
            return False
        return price >= self.stop if self.side == "buy" else price <= self.stop


def flaw(order: EnterOrder) -> RejectReason | None:
    """Read rule 3's table, a row for each kind."""
    asked = order.conditions or Conditions()
    forces, allowed, needed = {
        "limit": ((*RESTING, "IOC", "FOK", *AUCTION), ("display", "post_only", "min_quantity", "all_or_none"), ()),
        "market": (("IOC", "FOK", *AUCTION), ("min_quantity",) if order.time_in_force == "IOC" else (), ()),
        "market-to-limit": (RESTING, (), ()),
        "stop": (RESTING, ("stop",), ("stop",)),
        "stop-limit": (RESTING, ("stop", "display"), ("stop",)),
        "trailing-stop": (RESTING, ("trail", "stop"), ("trail",)),
        "pegged": (RESTING, ("peg", "offset"), ("peg",)),
    }[order.kind]
    if order.time_in_force not in forces:
        return "INVALID_TIME_IN_FORCE"
    if (order.time_in_force == "GTD") != (order.expires_ms > 0):
        return "INVALID_TIME_IN_FORCE"
    given = [
        name
        for name in ("stop", "trail", "peg", "offset", "display", "post_only", "min_quantity", "all_or_none")
        if getattr(asked, name)
    ]
    if any(name not in allowed for name in given) or any(name not in given for name in needed):
        return "INVALID_CONDITIONS"
    rests = order.time_in_force in RESTING
    wrong = (
        "display" in given
        and (
            not rests
            or asked.display > order.quantity
            or order.quantity > DISPLAYS_MAX * asked.display
            or "all_or_none" in given
        ),
        "post_only" in given and (not rests or "min_quantity" in given or "all_or_none" in given),
        "min_quantity" in given
        and (
            asked.min_quantity > order.quantity
            or order.time_in_force in ("FOK", "OPG", "CLS")
            or "all_or_none" in given
        ),
        "all_or_none" in given and not rests,
    )
    return "INVALID_CONDITIONS" if any(wrong) else None


def leg_flaw(order: EnterOrder) -> RejectReason | None:
    """Read rule 26: what may be a leg."""
    found = flaw(order)
    if found is not None:
        return found
    asked = order.conditions or Conditions()
    never = (
        asked.all_or_none,
        asked.min_quantity,
        order.time_in_force in ("IOC", "FOK", *AUCTION),
        order.kind in ("market", "market-to-limit"),
    )
    return "INVALID_CONDITIONS" if any(never) else None


def can_wait(order: EnterOrder) -> bool:
    """Read rule 41: what may come while nothing trades."""
    asked = order.conditions or Conditions()
    if order.kind == "market":
        return order.time_in_force in AUCTION
    return order.time_in_force not in ("IOC", "FOK") and order.kind != "market-to-limit" and not asked.min_quantity
