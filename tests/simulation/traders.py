"""What traders ask for, at random: every command of an account, every kind of order, and some of all that is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from exchange import messages as m
from exchange.money import UNITS_MAX
from tests.simulation.log import START_MS

ACCOUNTS = tuple(f"trader-{number}" for number in range(5))
ASSETS = {"USD": 4_000, "AAPL": 50, "GOOG": 60, "PAIR": 25, "EVEN": 25}
"""What each account begins with, in minor units."""
SYMBOLS = ("AAPLUSD", "AAPLUSD", "AAPLUSD", "GOOGUSD", "GOOGUSD", "GOOGUSD", "PAIRUSD", "EVENUSD")
"""Symbols as often as they are traded."""
PLAIN_ONLY = ("PAIRUSD", "EVENUSD")
"""Symbols whose matching rules take plain orders only."""
PRICES = (96, 104)
RESTING = ("GTC", "GTC", "GTC", "GTD", "DAY")
KINDS: tuple[m.Kind, ...] = (
    "limit", "limit", "limit", "limit", "limit", "limit", "market", "market-to-limit", "stop", "stop-limit", "trailing-stop",
    "pegged",
)  # fmt: skip


class Traders:
    """Makes commands of accounts; remembers the orders it asked for, to come back to them."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.requests = 0
        self.placed: list[tuple[str, str]] = []
        self._asks: tuple[Callable[[dict[str, Any]], m.AccountCommand], ...] = (
            *[self._place] * 22,
            *[self._cancel] * 5,
            *[self._amend] * 6,
            *[self._replace] * 4,
            *[self._oco] * 4,
            *[self._bracket] * 3,
            self._cancel_all,
            self._dead_man,
            *[self._money] * 3,
            self._open,
        )

    def command(self, account: str) -> m.AccountCommand:
        """Return the next command of an account."""
        common = {"account": account, "request_id": self._request(), "created_ms": START_MS}
        chance = self.dice.random()
        if chance < 0.01:
            common["created_ms"] = START_MS - 90_000_000 if chance < 0.005 else START_MS + 10_000_000
        elif chance < 0.015:
            common["request_id"] = "open"
        elif chance < 0.02:
            common["account"] = "nobody"
        return self.dice.choice(self._asks)(common)

    # Orders

    def _place(self, common: dict[str, Any]) -> m.AccountCommand:
        self.placed.append((common["account"], common["request_id"]))
        return m.PlaceOrder(**common, symbol=self._symbol(), **self._order())

    def _order(self) -> dict[str, Any]:
        """Return the terms of an order, most of which go together."""
        dice = self.dice
        kind = dice.choice(KINDS)
        side = dice.choice(("buy", "sell"))
        quantity = dice.randint(1, 12)
        force = dice.choice(RESTING)
        price = dice.randint(*PRICES)
        conditions: dict[str, Any] = {}
        if kind == "limit":
            force = dice.choice((*RESTING, *RESTING, "IOC", "FOK", "OPG", "CLS"))
            if dice.random() < 0.4:
                conditions = self._of_limit(quantity)
        elif kind == "market":
            force = dice.choice(("IOC", "IOC", "FOK", "OPG", "CLS"))
            price = 107 if side == "buy" else 93
        elif kind in ("stop", "stop-limit"):
            conditions = {"stop": dice.randint(98, 102)}
        elif kind == "trailing-stop":
            conditions = {"trail": dice.randint(1, 3), "stop": dice.choice((0, 0, 97, 103))}
        elif kind == "pegged":
            conditions = {"peg": dice.choice(("bid", "ask", "mid")), "offset": dice.randint(-2, 2)}
        if dice.random() < 0.25:
            conditions["self_trade"] = dice.choice(("newest", "oldest", "both", "decrement"))
        if dice.random() < 0.03:
            force = dice.choice(("GTD", "IOC", "DAY", "FOK"))
        if dice.random() < 0.02:
            conditions["min_quantity"] = quantity + 1
        terms = {"side": side, "price": price, "quantity": quantity, "kind": kind}
        return terms | self._timed(force) | {"conditions": m.Conditions(**conditions) if conditions else None}

    def _of_limit(self, quantity: int) -> dict[str, Any]:
        dice = self.dice
        return dice.choice(
            (
                {"display": dice.randint(1, quantity)},
                {"display": 1},
                {"post_only": "reject"},
                {"post_only": "slide"},
                {"min_quantity": dice.randint(1, quantity)},
                {"all_or_none": True},
            )
        )

    def _timed(self, force: str) -> dict[str, Any]:
        expires_ms = START_MS + self.dice.randint(0, 20_000) if force == "GTD" else 0
        return {"time_in_force": force, "expires_ms": expires_ms}

    def _leg(self, kind: m.Kind, price: int, **more: Any) -> m.Leg:
        force = "GTC" if self.dice.random() < 0.8 else self.dice.choice(RESTING)
        return m.Leg(request_id=self._request(), price=price, kind=kind, **self._timed(force), **more)

    def _oco(self, common: dict[str, Any]) -> m.AccountCommand:
        dice = self.dice
        side = dice.choice(("buy", "sell"))
        away = -1 if side == "buy" else 1
        first = self._leg("limit", 100 + away * dice.randint(-1, 4))
        stop = m.Conditions(stop=100 - away * dice.randint(-1, 3))
        if dice.random() < 0.05:
            stop = m.Conditions()
        second = self._leg(dice.choice(("stop", "stop-limit")), 100 - 4 * away, conditions=stop)
        if dice.random() < 0.2:
            first, second = second, first
        self.placed += [(common["account"], first.request_id), (common["account"], second.request_id)]
        return m.PlaceOco(
            **common, symbol=self._symbol(), side=side, quantity=dice.randint(1, 9), first=first, second=second
        )

    def _bracket(self, common: dict[str, Any]) -> m.AccountCommand:
        dice = self.dice
        side = dice.choice(("buy", "sell"))
        away = 1 if side == "buy" else -1
        entry = self._leg("limit", dice.randint(*PRICES))
        profit = self._leg("limit", 100 + 3 * away)
        loss = self._leg("stop", 100 - 6 * away, conditions=m.Conditions(stop=100 - 3 * away))
        self.placed += [(common["account"], leg.request_id) for leg in (entry, profit, loss)]
        return m.PlaceBracket(
            **common, symbol=self._symbol(), side=side, quantity=dice.randint(1, 9), entry=entry, take_profit=profit,
            stop_loss=loss,
        )  # fmt: skip

    # What changes them

    def _named(self, common: dict[str, Any]) -> dict[str, Any]:
        """Name an order that was asked for, most often by its owner, and one of the last."""
        if not self.placed:
            return common | {"order_request_id": "none"}
        owner, request_id = self.dice.choice(self.placed[-30:])
        if self.dice.random() < 0.95:
            common = common | {"account": owner}
        return common | {"order_request_id": request_id}

    def _cancel(self, common: dict[str, Any]) -> m.AccountCommand:
        return m.CancelOrder(**self._named(common))

    def _amend(self, common: dict[str, Any]) -> m.AccountCommand:
        dice = self.dice
        changes = {"quantity": dice.randint(1, 12), "price": dice.randint(*PRICES), "stop": dice.randint(97, 103)}
        wanted = dice.choice((("quantity",), ("quantity",), ("price",), ("price", "quantity"), ("stop",), ()))
        return m.AmendOrder(**self._named(common), **{name: changes[name] for name in wanted})

    def _replace(self, common: dict[str, Any]) -> m.AccountCommand:
        named = self._named(common)
        self.placed.append((named["account"], named["request_id"]))
        return m.ReplaceOrder(**named, **self._order())

    def _cancel_all(self, common: dict[str, Any]) -> m.AccountCommand:
        return m.CancelAll(**common, symbol=self.dice.choice((None, "AAPLUSD", "GOOGUSD")))

    def _dead_man(self, common: dict[str, Any]) -> m.AccountCommand:
        return m.SetDeadMan(**common, timeout_ms=self.dice.choice((0, 500, 5_000)))

    # Money

    def _money(self, common: dict[str, Any]) -> m.AccountCommand:
        dice = self.dice
        asset = dice.choice(tuple(ASSETS))
        if dice.random() < 0.5:
            return m.Withdraw(**common, asset=asset, amount=dice.choice((1, 1_500, 1_500, 10**6)))
        return m.Deposit(**common, asset=asset, amount=dice.choice((1, 500, UNITS_MAX)))

    def _open(self, common: dict[str, Any]) -> m.AccountCommand:
        return m.OpenAccount(**common)

    def _symbol(self) -> str:
        return "NONE" if self.dice.random() < 0.01 else self.dice.choice(SYMBOLS)

    def _request(self) -> str:
        self.requests += 1
        return f"r{self.requests}"
