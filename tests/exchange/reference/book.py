"""The naive twin of the book, from docs/MATCHING.md alone: one list of orders, slow, and hard to get wrong.

It answers each command with lines as `pit.line` writes them; snapshots and checksums are checked against `totals`.
"""

from __future__ import annotations

from typing import Any

from exchange import messages as m
from exchange.clock import VenueClock
from tests.exchange.reference.orders import AUCTION, DISPLAYS_MAX, RESTING, Order, can_wait, flaw, leg_flaw
from tests.exchange.reference.sessions import AUCTION_PHASES, CALLS, PAIRING, Sessions

WAITING_MAX = 1_000


class ReferenceBook(Sessions):
    """Takes commands."""

    def __init__(self, clock: VenueClock = "live") -> None:
        super().__init__()
        self.live = clock == "live"
        self.inbound: dict[str, int] = {}
        self.listing = 0
        self.instrument: Any = None
        self.delisted = False
        self.busted: set[int] = set()

    def apply(self, command: Any, arrival_ms: int) -> list[str]:
        """Take one command and return what is said, in order."""
        self.lines = []
        if self.live:
            self.now_ms = max(self.now_ms, arrival_ms)
        if hasattr(command, "seq"):
            if command.seq != self.inbound.get(command.source, 0) + 1:
                return self.lines
            self.inbound[command.source] = command.seq
        if not self.live:
            self.now_ms = max(self.now_ms, getattr(command, "time_ms", 0))
        self.meet_deadlines()
        self.obey(command)
        self.settle()
        self.indicate()
        return self.lines

    def obey(self, command: Any) -> None:
        acts: dict[type, Any] = {
            m.EnterOrder: self.enter,
            m.EnterOco: self.enter_pair,
            m.PullOrder: self.pull,
            m.ReviseOrder: self.revise,
            m.SwapOrder: self.swap,
            m.ListInstrument: self.list,
            m.Delist: self.delist,
            m.SetPhase: self.set_phase,
            m.CancelSymbol: lambda _: self.cancel_all("OPERATOR"),
            m.BustTrade: self.bust,
        }
        act = acts.get(type(command))
        if act is not None:
            act(command)
        else:
            assert isinstance(command, m.Tick | m.AdvanceClock | m.Resume)

    # Entering

    def refusal(self, order: m.EnterOrder, *, leg: bool = False, without: Order | None = None) -> m.RejectReason | None:
        """Read rule 1; `without` is an order that counts as gone where a post-only order is checked."""
        asked = order.conditions or m.Conditions()
        held = [other for other in self.orders if other.order_id == order.order_id]
        plain = order.kind == "limit" and order.time_in_force in RESTING and order.conditions is None
        checks: tuple[tuple[Any, m.RejectReason], ...] = (
            (not self.listing, "UNKNOWN_SYMBOL"),
            (self.delisted, "DELISTED"),
            (order.listing != self.listing, "STALE_LISTING"),
            (order.expires_ms and order.expires_ms <= self.now_ms, "EXPIRED"),
            (order.account == m.MARKET and order.order_id >= 0, "INVALID_ORDER_ID"),
            (order.account == m.MARKET and held, "DUPLICATE"),
        )
        for holds, reason in checks:
            if holds:
                return reason
        found = leg_flaw(order) if leg else flaw(order)
        if found is not None:
            return found
        checks = (
            (self.rules.matching in PAIRING and (leg or not plain), "RULE_UNSUPPORTED"),
            (self.phase == "closed", "MARKET_CLOSED"),
            (self.phase in CALLS and not can_wait(order), "NOT_CONTINUOUS"),
            (self.beyond_collar(order.side, order.price), "PRICE_COLLAR"),
            (self.post_only(order.side, asked.post_only, order.price, without) is None, "POST_ONLY"),
            (self.full(order, asked), "BOOK_FULL"),
        )
        return next((reason for holds, reason in checks if holds), None)

    def post_only(self, side: str, how: str | None, price: int, without: Order | None = None) -> int | None:
        """Return the price at which a post-only order rests, or None if it is refused."""
        if how is None or self.phase in CALLS:
            return price
        against = [o.price for o in self.orders if o.resting and o.side != side and o is not without]
        if not against:
            return price
        best = min(against) if side == "buy" else max(against)
        if price < best if side == "buy" else price > best:
            return price
        slid = best - 1 if side == "buy" else best + 1
        return slid if how == "slide" and slid >= 1 else None

    def full(self, order: m.EnterOrder, asked: m.Conditions) -> bool:
        if order.kind == "trailing-stop":
            alike = [one for one in self.orders if one.kind == "trailing-stop"]
        elif order.kind == "pegged":
            alike = [one for one in self.orders if one.kind == "pegged"]
        elif asked.all_or_none:
            alike = [one for one in self.orders if one.asked.all_or_none]
        else:
            return False
        return len(alike) >= WAITING_MAX

    def admit(self, entered: m.EnterOrder) -> Order:
        """Accept an order; what becomes of it follows."""
        asked = entered.conditions or m.Conditions()
        limit = self.post_only(entered.side, asked.post_only, entered.price)
        assert limit is not None
        order = Order(entered, self.number(), self.now_ms, limit, entered.quantity, entered.kind, stop=asked.stop)
        if order.kind == "trailing-stop" and not order.stop and self.last:
            order.stop = self.trailing(order, self.last)
        self.orders.append(order)
        self.say(order, "+")
        return order

    def refuse(self, entered: m.EnterOrder, reason: str) -> None:
        self.lines.append(f"! {entered.account} {entered.order_id} {reason}")

    def enter(self, entered: m.EnterOrder) -> None:
        reason = self.refusal(entered)
        if reason is not None:
            self.refuse(entered, reason)
            return
        self.place(self.admit(entered), first=True)

    def enter_pair(self, command: m.EnterOco) -> None:
        reason = self.refusal(command.first, leg=True) or self.refusal(command.second, leg=True)
        if reason is not None:
            self.refuse(command.first, reason)
            self.refuse(command.second, reason)
            return
        first, second = self.admit(command.first), self.admit(command.second)
        first.other, second.other = second, first
        self.place(first, first=True)
        if second in self.orders:
            self.place(second, first=True)

    def place(self, order: Order, *, first: bool = False) -> None:
        """Let an order do what it does on arrival (`first`), or when its terms have changed: trade, rest or wait."""
        calling = self.phase in CALLS
        if order.waiting_stop:
            if not calling and self.last and order.sets_off(self.last):
                self.go_off(order, self.last)
        elif order.force in AUCTION:
            if AUCTION_PHASES[order.force] == self.phase:
                self.rest(order, order.limit)
        elif order.asked.all_or_none:
            return  # its turn comes by rule 31
        elif calling:
            if order.kind != "pegged":
                self.rest(order, order.limit)
        elif order.kind == "pegged":
            self.follow(order)
        elif self.rules.matching in PAIRING:
            self.pair(order)
        else:
            self.attack(order, self.available(order, order.limit), first=first)

    def attack(self, order: Order, available: int, *, first: bool) -> None:
        """Let an order trade, if as much is there as it asks for."""
        if first and order.force == "FOK" and available < order.leaves:
            self.cancel(order, "FOK_UNFILLED")
        elif first and available < order.asked.min_quantity:
            self.cancel(order, "MINIMUM_UNFILLED")
        elif order.kind == "market-to-limit":
            self.take_best(order)
        else:
            self.take(order, order.limit)

    # What is asked of orders on the book

    def find(self, command: Any) -> Order | None:
        for order in self.orders:
            if (order.order_id, order.account) == (command.order_id, command.account):
                return order
        return None

    def turn_down(self, command: Any, reason: str) -> None:
        if command.account != m.MARKET:
            self.lines.append(f"! {command.account} {command.order_id} {reason}")

    def pull(self, command: m.PullOrder) -> None:
        order = self.find(command)
        if order is None:
            self.turn_down(command, "TOO_LATE")
        else:
            self.cancel(order, command.reason)

    def cancel_all(self, reason: str) -> None:
        for order in self.in_turn():
            if order in self.orders:
                self.cancel(order, reason)

    def swap(self, command: m.SwapOrder) -> None:
        order = self.find(command)
        if order is None or order.other is not None or order.leaves != command.leaves:
            self.turn_down(command, "TOO_LATE")
            self.refuse(command.order, "TOO_LATE")
            return
        reason = self.refusal(command.order, without=order)
        if reason is not None:
            self.refuse(command.order, reason)
            self.turn_down(command, reason)
            return
        self.cancel(order, "REPLACED")
        self.place(self.admit(command.order), first=True)

    def revise(self, command: m.ReviseOrder) -> None:
        order = self.find(command)
        if order is None:
            self.turn_down(command, "TOO_LATE")
            return
        price, quantity = command.price or order.limit, command.quantity or order.quantity
        stop = command.stop or order.stop
        loses = price != order.limit or quantity > order.quantity
        how = order.asked.post_only if loses else None
        same = (price, quantity, stop) == (order.limit, order.quantity, order.stop)
        checks = (
            (self.rules.matching in PAIRING, "INVALID_AMENDMENT"),
            (self.phase == "closed", "MARKET_CLOSED"),
            (command.quantity and command.quantity <= order.filled, "BELOW_FILLED"),
            (command.stop and not order.waiting_stop, "INVALID_AMENDMENT"),
            (order in self.triggered, "INVALID_AMENDMENT"),
            (order.asked.display and quantity > DISPLAYS_MAX * order.asked.display, "INVALID_AMENDMENT"),
            (same, "INVALID_AMENDMENT"),
            (price != order.limit and self.beyond_collar(order.side, price), "PRICE_COLLAR"),
            (self.post_only(order.side, how, price) is None, "POST_ONLY"),
        )
        for holds, reason in checks:
            if holds:
                self.turn_down(command, reason)
                return
        loses = loses or stop != order.stop
        order.limit = self.post_only(order.side, how, price) or price
        order.quantity, order.stop = quantity, stop
        self.amended(order)
        self.go_on(order, loses=loses)

    def go_on(self, order: Order, *, loses: bool) -> None:
        """Let an amended order go on: in its place, or anew."""
        if order.resting and not loses:
            self.shrink(order)
            return
        anew = (order.resting and order.kind != "pegged") or order.waiting_stop
        self.leave(order)
        if loses:
            order.number = self.number()
        if anew:
            self.place(order)

    def list(self, command: m.ListInstrument) -> None:
        """Read rule 37."""
        instrument, rules = command.instrument, command.rules
        pairing = rules.matching in PAIRING
        if command.version <= self.listing or (pairing and self.phase in CALLS):
            return
        if self.listing and (
            (instrument.tick, instrument.lot) != (self.instrument.tick, self.instrument.lot)
            or (rules.matching != self.rules.matching and (pairing or self.rules.matching in PAIRING))
        ):
            self.cancel_all("LISTING_CHANGED")
            self.last = self.auctioned = 0
            self.uncompared = []
        told = rules.order_by_order and not self.rules.order_by_order
        self.listing, self.instrument, self.delisted = command.version, instrument, False
        self.rules, self.notional_units = rules, instrument.notional_units
        for order in self.in_turn() if told else []:
            order.told = None
            self.tell(order)

    def delist(self, _: m.Delist) -> None:
        if self.listing and not self.delisted:
            self.delisted = True
            self.cancel_all("DELISTED")

    def bust(self, command: m.BustTrade) -> None:
        if command.trade > self.trades or command.trade in self.busted:
            return
        self.busted.add(command.trade)
        self.lines.append(f"bust {command.trade}")
        for side, account, order_id, fee in (
            ("buy", command.buyer, command.buy_order, command.buy_fee),
            ("sell", command.seller, command.sell_order, command.sell_fee),
        ):
            if account != m.MARKET:
                what = f"{side} {command.quantity} @ {command.price}" + (f", fee {fee}" if fee else "")
                self.lines.append(f"x {account} {order_id} trade {command.trade}: {what}")
        if command.buy_fee + command.sell_fee:
            self.lines.append(f"fee {-command.buy_fee - command.sell_fee} of trade {command.trade}")
