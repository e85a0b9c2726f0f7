"""The plain book's phases, deadlines and triggers, and what follows a command: rules 21 to 25, 30, 31 and 40 to 48."""

from __future__ import annotations

from typing import Any

from exchange import messages as m
from tests.exchange.reference.auction import clearing, taking_part
from tests.exchange.reference.matching import Matching
from tests.exchange.reference.orders import AUCTION, Order

CALLS = ("pre-open", "opening-auction", "halt", "closing-auction")
AUCTION_PHASES = {"OPG": "opening-auction", "CLS": "closing-auction"}
PAIRING = ("exact", "equal-quantity")
PLANNED_MAX = 1_000


class Sessions(Matching):
    """A market that opens and closes, with what waits in it."""

    def __init__(self) -> None:
        super().__init__()
        self.phase: str = "continuous"
        self.planned: list[tuple[int, str]] = []
        self.resumes_ms = 0
        self.indicated = (0, 0, 0)
        self.triggered: list[Order] = []

    # Time

    def deadlines(self) -> list[tuple[int, int, int, Any]]:
        """Return all deadlines in order: when, of what kind, which of the kind, and the order or phase."""
        return sorted(
            [(order.expires_ms, 0, order.order_id, order) for order in self.orders if order.expires_ms]
            + [(at_ms, 1, place, phase) for place, (at_ms, phase) in enumerate(self.planned)]
            + ([(self.resumes_ms, 2, 0, "continuous")] if self.resumes_ms else []),
            key=lambda one: one[:3],
        )

    def deadline_ms(self) -> int | None:
        return min((one[0] for one in self.deadlines()), default=None)

    def meet_deadlines(self) -> None:
        while True:
            due = [one for one in self.deadlines() if one[0] <= self.now_ms]
            if not due:
                return
            _, kind, place, what = due[0]
            if kind == 1:
                del self.planned[place]
            if kind == 0:
                self.expire(what)
            else:
                self.go_into(what)
            self.settle()

    # Phases

    def set_phase(self, command: m.SetPhase) -> None:
        if command.at_ms <= self.now_ms:
            self.go_into(command.phase)
        elif len(self.planned) < PLANNED_MAX:
            self.planned.append((command.at_ms, command.phase))

    def go_into(self, phase: str) -> None:
        """Read rule 43."""
        if phase == self.phase or (self.rules.matching in PAIRING and phase not in ("continuous", "closed")):
            return
        before, calling = self.phase, phase in CALLS
        if before in CALLS and (not calling or before in AUCTION_PHASES.values()):
            self.hold_auction()
            self.expire_all([order for order in self.in_turn() if order.resting and order.force in AUCTION])
        self.phase, self.resumes_ms, self.indicated = phase, 0, (0, 0, 0)
        self.lines.append(f"phase {phase}")
        if calling:
            self.call()
        elif phase == "closed":
            self.expire_all([order for order in self.in_turn() if order.force == "DAY"])
        elif self.last:
            self.uncompared.append(self.last)

    def call(self) -> None:
        """Let pegged orders leave their prices and auction orders come to rest."""
        for order in self.in_turn():
            if order.kind == "pegged":
                self.leave(order)
        for order in self.in_turn():
            if AUCTION_PHASES.get(order.force) == self.phase:
                order.number = self.number()
                self.rest(order, order.limit)

    def expire_all(self, orders: list[Order]) -> None:
        for order in orders:
            if order in self.orders:
                self.expire(order)

    def hold_auction(self) -> None:
        part = taking_part(self.orders)
        price, volume, _ = clearing(part, self.reference)
        if not volume:
            return
        bids = sorted((order for order in part if order.side == "buy"), key=lambda bid: (-bid.price, bid.number))
        asks = sorted((order for order in part if order.side == "sell"), key=lambda ask: (ask.price, ask.number))
        traded: list[Order] = []
        while volume:
            maker, taker = sorted((bids[0], asks[0]), key=lambda order: order.number)
            quantity = min(maker.leaves, taker.leaves, volume)
            self.trade(maker, taker, price, quantity, auction=True)
            for order in (maker, taker):
                if not order.asked.display or not order.leaves:  # else it is told of when it shows anew
                    self.tell(order)
            volume -= quantity
            traded += [order for order in (maker, taker) if order not in traded]
            bids = [order for order in bids if order.leaves]
            asks = [order for order in asks if order.leaves]
        self.auctioned = price
        for order in sorted(traded, key=lambda order: order.number):
            if order.leaves and order.asked.display:
                self.renew(order)
                self.tell(order)
        touched = {(order.side, order.price) for order in traded}
        for side, at in sorted(touched, key=lambda one: (one[0], -one[1] if one[0] == "buy" else one[1])):
            self.level(side, at)

    def indicate(self) -> None:
        """Read rule 46."""
        if self.phase not in ("opening-auction", "halt", "closing-auction"):
            return
        now = clearing(taking_part(self.orders), self.reference)
        if now != self.indicated:
            self.indicated = now
            self.lines.append(f"indicated {now[1]} @ {now[0]}, imbalance {now[2]}")

    def interrupt(self) -> None:
        """Read rule 47."""
        if self.beyond_band:
            self.beyond_band = False
            self.go_into("halt")
            self.resumes_ms = self.now_ms + self.rules.interruption_ms

    # What follows a command

    def settle(self) -> None:
        """Read rule 31."""
        self.compare_trades()
        while self.phase == "continuous" and (self.set_off() or self.take_whole() or self.move_peg()):
            self.compare_trades()

    def set_off(self) -> bool:
        """Match the next triggered order."""
        self.triggered = [order for order in self.triggered if order in self.orders]
        if not self.triggered:
            return False
        order = self.triggered.pop(0)
        order.number = self.number()
        self.take(order, order.limit)
        return True

    def take_whole(self) -> bool:
        resting = self.resting()
        for order in self.in_turn():
            if order.asked.all_or_none and self.available(order, order.limit, resting) >= order.leaves:
                order.number = self.number()
                self.take(order, order.limit)
                return True
        return False

    def move_peg(self) -> bool:
        bid, ask = self.best("buy", unpegged=True), self.best("sell", unpegged=True)
        for order in self.in_turn():
            if order.kind == "pegged" and self.target(order, bid, ask) != (order.price if order.resting else 0):
                self.leave(order)
                price = self.target(order, bid, ask)
                if price:
                    order.number = self.number()
                    self.take(order, price)
                return True
        return False

    def compare_trades(self) -> None:
        while self.uncompared:
            self.compare(self.uncompared.pop(0))

    def compare(self, price: int) -> None:
        """Compare one trade with the stops, then move the trailing ones."""
        for order in [order for order in self.in_turn() if order.waiting_stop and order.sets_off(price)]:
            if order in self.orders:
                self.go_off(order, price)
        for order in self.orders:
            if order.kind == "trailing-stop":
                moved = self.trailing(order, price)
                if not order.stop or (moved > order.stop if order.side == "sell" else moved < order.stop):
                    order.stop = moved

    @staticmethod
    def trailing(order: Order, price: int) -> int:
        return max(1, price - order.asked.trail if order.side == "sell" else price + order.asked.trail)

    def go_off(self, order: Order, price: int) -> None:
        self.part(order)
        self.triggered.append(order)
        if order.kind == "stop-limit":
            order.kind = "limit"
        else:
            order.kind, order.force, order.expires_ms = "market", "IOC", 0
        self.say(order, f"^ {price}")

    @staticmethod
    def target(order: Order, bid: int, ask: int) -> int:
        """Return the price that rule 25 says, 0: it has to wait."""
        if order.asked.peg == "mid":
            followed = (bid + ask + (order.side == "sell")) // 2 if bid and ask else 0
        else:
            followed = bid if order.asked.peg == "bid" else ask
        if not followed:
            return 0
        price = followed + order.asked.offset
        return max(1, min(price, order.limit) if order.side == "buy" else max(price, order.limit))

    def follow(self, order: Order) -> None:
        price = self.target(order, self.best("buy", unpegged=True), self.best("sell", unpegged=True))
        if price:
            self.take(order, price)

    def take(self, order: Order, limit: int) -> None:
        """Match an order, then let what is left of it rest or go (rule 12)."""
        self.match(order, limit)
        if order in self.orders:
            if order.kind == "market":
                self.cancel(order, "MARKET_REMAINDER")
            elif order.force == "IOC":
                self.cancel(order, "IOC_REMAINDER")
            else:
                assert order.force != "FOK", "it trades wholly or not at all"
                assert not order.asked.all_or_none, "it trades wholly or not at all"
                self.rest(order, limit)
        self.interrupt()

    def take_best(self, order: Order) -> None:
        """Read rule 16."""
        makers = self.opposite(order, order.limit)
        if not makers:
            self.cancel(order, "MARKET_REMAINDER")
            return
        order.limit, order.kind = makers[0].price, "limit"
        self.match(order, order.limit)
        if order in self.orders:
            self.amended(order)
            self.rest(order, order.limit)
        self.interrupt()
