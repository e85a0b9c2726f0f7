"""What the orders of the seeded flow (`book_flow`) ask for: terms that go together, and terms that do not."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from exchange import messages as m
from exchange.instruments import Rules
from tests.exchange.book_profiles import Profile
from tests.exchange.reference.book import ReferenceBook

KINDS: tuple[m.Kind, ...] = ("limit", "market", "market-to-limit", "stop", "stop-limit", "trailing-stop", "pegged")
FORCES: tuple[m.TimeInForce, ...] = ("GTC", "IOC", "FOK", "GTD", "DAY", "OPG", "CLS")
SELF_TRADES: tuple[m.SelfTrade, ...] = ("none", "newest", "oldest", "both", "decrement")


class Terms:
    """Draws rules, prices, quantities, kinds, times in force and conditions; the plain book says where the market is."""

    def __init__(self, profile: Profile, dice: random.Random, twin: ReferenceBook) -> None:
        self.profile = profile
        self.dice = dice
        self.twin = twin
        self.now_ms = 1_000
        self.centre = dice.choice((100, 100, 1_000, 5))

    def rules_of_listing(self) -> Rules:
        """Draw rules, mostly with a reference near the prices."""
        reference = self.centre + self.dice.randint(-3, 3) if self.dice.random() < 0.8 else 0
        return msgspec.structs.replace(self.dice.choice(self.profile.rules), reference=reference)

    def near(self) -> int:
        """Return a price about the last one, drawn back to the centre."""
        about = (self.twin.last + self.centre) // 2 if self.twin.last else self.centre
        return max(1, about + self.dice.randint(-self.profile.spread, self.profile.spread))

    def quantity(self) -> int:
        return (
            self.dice.randint(1, 4)
            if self.twin.rules.matching in ("exact", "equal-quantity")
            else self.dice.randint(1, 20)
        )

    def terms(self, side: m.Side, quantity: int) -> dict[str, Any]:
        """Draw price, kind, time in force and conditions."""
        if self.dice.random() < self.profile.wrong:
            return self.nonsense(quantity)
        if self.dice.random() >= self.profile.special:
            force = self.dice.choice(("GTC", "GTC", "GTC", "GTC", "DAY", "GTD", "IOC", "FOK"))
            if self.twin.rules.matching in ("exact", "equal-quantity"):
                force = self.dice.choice(("GTC", "DAY", "GTD"))
            return {"price": self.near()} | self.timed(force)
        return self.special(side, quantity)

    def timed(self, force: str) -> dict[str, Any]:
        expires_ms = max(1, self.now_ms + self.dice.randint(-20, 3_000)) if force == "GTD" else 0
        return {"time_in_force": force, "expires_ms": expires_ms}

    def special(self, side: m.Side, quantity: int) -> dict[str, Any]:
        """Draw terms that go together (rule 3)."""
        dice = self.dice
        kind = dice.choice(("limit", "limit", "limit", *KINDS))
        rests = dice.choice(("GTC", "GTC", "DAY", "GTD"))
        force = rests
        asked: dict[str, Any] = {"self_trade": dice.choice(SELF_TRADES)} if dice.random() < 0.5 else {}
        price = self.near()
        if kind not in ("limit", "stop-limit"):
            price = max(1, price + dice.randint(0, 2 * self.profile.spread) * (1 if side == "buy" else -1))
        match kind:
            case "limit":
                force = dice.choice((rests, rests, rests, "IOC", "FOK", "OPG", "CLS"))
                asked |= self.of_limit(force, quantity)
            case "market":
                force = dice.choice(("IOC", "IOC", "FOK", "OPG", "CLS"))
                if force == "IOC" and dice.random() < 0.3:
                    asked["min_quantity"] = dice.randint(1, quantity)
            case "stop" | "stop-limit":
                asked["stop"] = self.near()
                if kind == "stop-limit" and dice.random() < 0.3:
                    asked["display"] = dice.randint(1, quantity)
            case "trailing-stop":
                asked["trail"] = dice.randint(1, 5)
                if dice.random() < 0.4:
                    asked["stop"] = self.near()
            case "pegged":
                asked |= {"peg": dice.choice(("bid", "ask", "mid")), "offset": dice.choice((-3, -2, -1, 0, 0, 1, 2))}
        conditions = m.Conditions(**asked) if asked else None
        return {"price": price, "kind": kind, "conditions": conditions} | self.timed(force)

    def of_limit(self, force: str, quantity: int) -> dict[str, Any]:
        dice = self.dice
        rests = force in ("GTC", "GTD", "DAY")
        kinds = (
            ("display", "display", "post_only", "all_or_none", "min_quantity") if rests else ("min_quantity", "none")
        )
        kind = dice.choice(kinds)
        if kind == "display":
            return {"display": dice.randint(1, max(1, quantity // 2))}
        if kind == "post_only":
            return {"post_only": dice.choice(("reject", "slide", "slide"))}
        if kind == "all_or_none":
            return {"all_or_none": True}
        return (
            {"min_quantity": dice.randint(1, quantity)}
            if kind == "min_quantity" and force not in ("FOK", "OPG", "CLS")
            else {}
        )

    def nonsense(self, quantity: int) -> dict[str, Any]:
        """Draw terms without regard to one another."""
        dice = self.dice

        def some(values: Any, nothing: Any) -> Any:
            return dice.choice(values) if dice.random() < 0.15 else nothing

        conditions = m.Conditions(
            stop=some(range(90, 110), 0),
            trail=some(range(1, 9), 0),
            peg=some(("bid", "ask", "mid"), None),
            offset=some(range(-3, 4), 0),
            display=some(range(1, quantity + 3), 0),
            post_only=some(("reject", "slide"), None),
            min_quantity=some(range(1, quantity + 3), 0),
            all_or_none=some((True,), False),
            self_trade=some(SELF_TRADES, "none"),
        )
        return {
            "price": self.near(),
            "kind": dice.choice(("limit", "limit", *KINDS)),
            "time_in_force": dice.choice(("GTC", "GTC", *FORCES)),
            "expires_ms": some((self.now_ms, self.now_ms + 500), 0),
            "conditions": None if conditions == m.Conditions() else conditions,
        }
