"""A seeded flow of every command that a book takes, right ones and wrong ones.

Theory of operation: the next command is a function of the dice and of what the plain book looks like, so that cancels, amendments and
replacements mostly meet live orders, prices lie about the last one, and a market that has closed opens again. A profile says
how the market is traded and how often each thing is done.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from exchange import messages as m
from exchange.instruments import Instrument, Rules
from tests.exchange.book_profiles import ACCOUNTS, PROFILES
from tests.exchange.book_terms import Terms
from tests.exchange.pit import INSTRUMENT, SHARDS, SYMBOL
from tests.exchange.reference.book import ReferenceBook
from tests.exchange.reference.orders import Order

INSTRUMENTS = (
    INSTRUMENT,
    msgspec.structs.replace(INSTRUMENT, tick="0.05"),
    msgspec.structs.replace(INSTRUMENT, lot="10"),
)
PHASES: tuple[m.Phase, ...] = (
    "pre-open", "opening-auction", "continuous", "continuous", "continuous", "halt", "closing-auction", "closed",
)  # fmt: skip
PULLS: tuple[m.CancelReason, ...] = ("REQUESTED", "REQUESTED", "DEAD_MAN", "KILL_SWITCH")


class Flow(Terms):
    """Makes commands, one after the other; `twin` is the plain book, which is to have taken all before."""

    def __init__(self, profile: str, seed: int, twin: ReferenceBook) -> None:
        super().__init__(PROFILES[profile], random.Random(f"{profile} {seed}"), twin)
        self.seed = seed
        self.seqs: dict[str, int] = {}
        self.ids = 0
        self.version = 0
        self.rules = self.rules_of_listing()
        self.sent: list[m.Message] = []
        self.opening = self.open()

    def next(self) -> m.Message:
        """Return the next command; `now_ms` is then the time at which it arrives."""
        self.now_ms += self.dice.choice((0, 0, 0, 1, 1, 20, 20, 90))
        command = next(self.opening, None)
        if command is None:
            acts = self.profile.acts
            if len(self.twin.orders) > self.profile.live_max and self.dice.random() < 0.5:
                command = self.pull()
            elif self.twin.phase != "continuous" and self.dice.random() < self.impatience():
                command = m.SetPhase(key=SYMBOL, phase="continuous")
            elif self.twin.delisted and self.dice.random() < 0.2:
                command = self.list()
            else:
                command = getattr(self, self.dice.choices(list(acts), list(acts.values()))[0])()
        assert isinstance(command, m.Message)
        self.sent = [*self.sent[-20:], command]
        return command

    def impatience(self) -> float:
        """Return the chance that a market which does not trade is now made to."""
        return 0.2 if self.twin.phase == "closed" else 0.01 + self.profile.acts.get("phase", 0) / 200

    def open(self) -> Iterator[m.Message]:
        """List the symbol, after a few orders that come too early; then fill the book, if the profile says so."""
        for _ in range(self.dice.randint(0, 2)):
            yield self.enter()
        yield m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=self.next_version(), rules=self.rules)
        if self.profile.flood:
            yield from self.flood()

    def flood(self) -> Iterator[m.Message]:
        """Send more orders of one sort than wait in a book, and more phases than are planned ahead."""
        kinds: tuple[tuple[m.Kind, m.Conditions], ...] = (
            ("trailing-stop", m.Conditions(trail=30)),
            ("limit", m.Conditions(all_or_none=True)),
            ("pegged", m.Conditions(peg="bid", offset=-20)),
        )
        kind, conditions = kinds[self.seed % 3]
        for _ in range(1_100):
            account, quantity = self.dice.choice(ACCOUNTS), self.dice.randint(1, 9)
            yield self.order(account, "buy", quantity, self.centre // 2, kind=kind, conditions=conditions)
        for _ in range(990):
            at_ms = self.now_ms + self.dice.randint(30_000, 60_000)
            yield m.SetPhase(key=SYMBOL, phase=self.dice.choice(PHASES), at_ms=at_ms)

    # Numbers

    def next_version(self) -> int:
        self.version += self.dice.choice((1, 1, 3))
        return self.version

    def numbered(self, account: str) -> dict[str, Any]:
        """Return what a message of an account's channel has; now and then one leaves a hole in it, so that it is dropped."""
        source = "@tape" if account == m.MARKET else m.shard_of(account, SHARDS)
        seq = self.seqs.get(source, 0) + 1
        if self.dice.random() < 0.005:
            return {"source": source, "seq": seq + self.dice.randint(1, 3), "time_ms": self.now_ms}
        self.seqs[source] = seq
        return {"source": source, "seq": seq, "time_ms": self.now_ms}

    def next_id(self, account: str) -> int:
        self.ids += 1
        if account != m.MARKET:
            return self.ids
        if self.dice.random() < 0.01:
            return 0
        taken = [order.order_id for order in self.twin.orders if order.account == m.MARKET]
        return self.dice.choice(taken) if taken and self.dice.random() < 0.03 else -self.ids

    # Orders

    def order(
        self, account: str, side: m.Side, quantity: int, price: int, numbers: dict[str, Any] | None = None, **more: Any
    ) -> m.EnterOrder:
        listing = self.twin.listing or 1
        if self.dice.random() < 0.01:
            listing += self.dice.choice((-1, 1))
        fees: dict[str, Any] = {}
        if self.profile.fees:
            maker = self.dice.choice((0, 1_000, 20_000, -500, -90_000))
            fees = {"maker_fee": maker, "taker_fee": self.dice.choice((0, 3_000, 50_000, 77_777))}
        return m.EnterOrder(
            **(numbers or self.numbered(account)),
            account=account,
            order_id=self.next_id(account),
            symbol=SYMBOL,
            side=side,
            price=price,
            quantity=quantity,
            listing=max(1, listing),
            **fees,
            **more,
        )

    def some_order(
        self, account: str, side: m.Side, quantity: int, numbers: dict[str, Any] | None = None
    ) -> m.EnterOrder:
        terms = self.terms(side, quantity)
        return self.order(account, side, quantity, terms.pop("price"), numbers, **terms)

    # Acts

    def enter(self) -> m.Message:
        return self.some_order(
            self.dice.choice(self.profile.accounts), self.dice.choice(("buy", "sell")), self.quantity()
        )

    def pair(self) -> m.Message:
        account: str = self.dice.choice(self.profile.accounts)
        side: m.Side = self.dice.choice(("buy", "sell"))
        quantity, numbers = self.quantity(), self.numbered(account)
        first, second = (self.leg(account, side, quantity, numbers) for _ in range(2))
        second = msgspec.structs.replace(second, listing=first.listing)
        if second.order_id == first.order_id:
            self.ids += 1
            second = msgspec.structs.replace(second, order_id=-self.ids)
        return m.EnterOco(**numbers, account=account, symbol=SYMBOL, first=first, second=second)

    def leg(self, account: str, side: m.Side, quantity: int, numbers: dict[str, Any]) -> m.EnterOrder:
        """Draw a leg; mostly one that may be one."""
        while True:
            order = self.some_order(account, side, quantity, numbers)
            asked = order.conditions or m.Conditions()
            odd = order.kind in ("market", "market-to-limit") or order.time_in_force in ("IOC", "FOK", "OPG", "CLS")
            if not (odd or asked.all_or_none or asked.min_quantity) or self.dice.random() < 0.05:
                return order

    def aim(self) -> tuple[str, int, Order | None]:
        """Choose an order to do something about: mostly a live one, and mostly by its own account."""
        live = self.twin.orders
        if not live or self.dice.random() < 0.08:
            account = self.dice.choice(self.profile.accounts)
            return account, self.dice.randint(1, self.ids + 1) * (-1 if account == m.MARKET else 1), None
        order = self.dice.choice(live)
        return (
            (self.dice.choice(self.profile.accounts) if self.dice.random() < 0.03 else order.account),
            order.order_id,
            order,
        )

    def pull(self) -> m.Message:
        account, order_id, _ = self.aim()
        return m.PullOrder(
            **self.numbered(account),
            account=account,
            order_id=order_id,
            symbol=SYMBOL,
            reason=self.dice.choice(PULLS),
            request_id="c",
        )

    def revise(self) -> m.Message:
        account, order_id, order = self.aim()
        dice = self.dice
        price = quantity = stop = 0
        if dice.random() < 0.5:
            price = self.near()
        if dice.random() < 0.6:
            quantity = max(1, (order.quantity if order else 5) + dice.randint(-8, 5))
        if dice.random() < (0.4 if order and order.waiting_stop else 0.05):
            stop = self.near()
        if order and dice.random() < 0.1:
            price, quantity = order.limit, order.quantity
        if order and order.asked.display and dice.random() < 0.1:
            quantity = 1_000 * order.asked.display + 1
        return m.ReviseOrder(
            **self.numbered(account),
            account=account,
            order_id=order_id,
            symbol=SYMBOL,
            price=price,
            quantity=quantity,
            stop=stop,
            request_id="a",
        )

    def swap(self) -> m.Message:
        account, order_id, order = self.aim()
        numbers = self.numbered(account)
        leaves = order.leaves if order and self.dice.random() < 0.9 else self.dice.randint(1, 20)
        side: m.Side = self.dice.choice(("buy", "sell"))
        return m.SwapOrder(
            **numbers,
            account=account,
            order_id=order_id,
            symbol=SYMBOL,
            leaves=leaves,
            order=self.some_order(account, side, self.quantity(), numbers),
            request_id="s",
        )

    def phase(self) -> m.Message:
        at_ms = self.now_ms + self.dice.randint(0, 400) if self.dice.random() < 0.4 else 0
        phases = PHASES if self.twin.rules.matching == "price-time" else ("continuous", "closed", *PHASES)
        return m.SetPhase(key=SYMBOL, phase=self.dice.choice(phases), at_ms=at_ms)

    def list(self) -> m.Message:
        """List again: mostly under a higher version, now and then with another tick or lot, or with other rules."""
        instrument: Instrument = self.twin.instrument or INSTRUMENT
        if self.twin.listing and self.dice.random() < 0.1:
            version = self.twin.listing
            return m.ListInstrument(key=SYMBOL, instrument=instrument, version=version, rules=self.twin.rules)
        if self.dice.random() < 0.2:
            instrument = self.dice.choice(INSTRUMENTS)
        rules = self.rules_of_listing()
        trading = self.twin.phase in ("continuous", "closed") and not (self.twin.planned or self.twin.resumes_ms)
        if rules.matching in ("exact", "equal-quantity") and not trading:
            rules = Rules()
        version = self.next_version()
        return m.ListInstrument(key=SYMBOL, instrument=instrument, version=version, rules=rules)

    def bust(self) -> m.Message:
        dice = self.dice
        fees = {"buy_fee": dice.choice((0, 7)), "sell_fee": dice.choice((0, -3))} if self.profile.fees else {}
        return m.BustTrade(
            key=SYMBOL,
            trade=dice.randint(max(1, self.twin.trades - 10), self.twin.trades + 2),
            price=self.near(),
            quantity=self.quantity(),
            buyer=dice.choice(self.profile.accounts),
            seller=dice.choice(self.profile.accounts),
            buy_order=self.ids,
            sell_order=max(1, self.ids - 1),
            listing=dice.randint(1, max(1, self.twin.listing)),
            **fees,
        )

    def delist(self) -> m.Message:
        return m.Delist(key=SYMBOL, symbol=SYMBOL)

    def cancel_symbol(self) -> m.Message:
        return m.CancelSymbol(key=SYMBOL)

    def tick(self) -> m.Message:
        self.now_ms += self.dice.choice((0, 10, 1_000))
        return m.Tick(key=SYMBOL)

    def advance(self) -> m.Message:
        self.now_ms += self.dice.choice((0, 10, 1_000))
        return m.AdvanceClock(key=SYMBOL, time_ms=self.now_ms)

    def resume(self) -> m.Message:
        return m.Resume(key=SYMBOL)

    def again(self) -> m.Message:
        """Say something that was said before; on a channel it is to be dropped."""
        spoken = [command for command in self.sent if hasattr(command, "seq")]
        return self.dice.choice(spoken) if spoken else self.tick()
