"""How orders come in: refused, or accepted and then matched, resting or waiting."""

from __future__ import annotations

from exchange.book.floor import Floor
from exchange.book.follow_up import fire
from exchange.book.ladder import Order, Special
from exchange.book.pegs import best_unpegged, peg_price
from exchange.book.phases import AUCTION_OF, Phases
from exchange.book.triggers import WAITING_MAX, is_met, trail
from exchange.messages import (
    MARKET,
    PRICE_MAX,
    STOP_KINDS,
    Conditions,
    EnterOco,
    EnterOrder,
    RejectReason,
    Side,
    SwapOrder,
)
from exchange.terms import AUCTION_ONLY, RESTING, can_wait, flaw, leg_flaw

_PLAIN = Conditions()
RATES_MAX = 1_000
"""How many pairs of fee rates are held once for all orders that have them, before that begins anew."""


class Entry:
    """Takes orders in."""

    def __init__(self, floor: Floor, phases: Phases) -> None:
        self.floor = floor
        self.state = floor.state
        self.phases = phases
        self._fees: dict[tuple[int, int], tuple[int, int]] = {}

    def enter(self, entered: EnterOrder) -> None:
        """Take an order."""
        refusal = self.refusal(entered)
        if refusal is not None:
            self.floor.reports.rejected(entered, refusal)
            return
        self.begin(self.accept(entered))

    def enter_pair(self, pair: EnterOco) -> None:
        """Take two orders of which one cancels the other, or neither."""
        refusal = None
        for leg in (pair.first, pair.second):
            refusal = refusal or self.refusal(leg, is_leg=True)
        if refusal is not None:
            for leg in (pair.first, pair.second):
                self.floor.reports.rejected(leg, refusal)
            return
        first, second = self.accept(pair.first, other=pair.second), self.accept(pair.second, other=pair.first)
        for order in (first, second):
            self.floor.orders.wait(order)
        self.begin(first)
        if self.floor.orders.by_id.get(second.order_id) is second:
            self.begin(second)

    def swap(self, asked: SwapOrder) -> None:
        """Take an order off and another one in, or neither."""
        reports = self.floor.reports
        old = self.floor.orders.by_id.get(asked.order_id)
        gone = old is None or old.account != asked.account or old.leaves != asked.leaves
        if old is None or gone or (old.special is not None and old.special.other):
            reports.request_rejected(asked, "TOO_LATE")
            reports.rejected(asked.order, "TOO_LATE")
            return
        refusal = self.refusal(asked.order, without=old)
        if refusal is not None:
            reports.rejected(asked.order, refusal)
            reports.request_rejected(asked, refusal)
            return
        self.floor.trading.cancel(old, "REPLACED", asked.request_id)
        self.begin(self.accept(asked.order))

    # Checking

    def refusal(
        self, entered: EnterOrder, *, is_leg: bool = False, without: Order | None = None
    ) -> RejectReason | None:
        """Say why an order cannot be taken, or None. `without`: as if that order were not there."""
        state = self.state
        if entered.listing != state.listing or state.delisted:
            return "UNKNOWN_SYMBOL" if not state.listing else "DELISTED" if state.delisted else "STALE_LISTING"
        if entered.expires_ms and entered.expires_ms <= self.floor.clock.now_ms:
            return "EXPIRED"
        return (
            self._misnamed(entered)
            or (leg_flaw(entered) if is_leg else flaw(entered))
            or self._untimely(entered, is_leg=is_leg)
            or self._unwelcome(entered, without)
        )

    def _misnamed(self, entered: EnterOrder) -> RejectReason | None:
        """Say why an order cannot have its id."""
        known = entered.order_id in self.floor.orders.by_id
        if entered.account != MARKET:
            assert not known, f"order {entered.order_id} is already on the book"
        elif entered.order_id >= 0:
            return "INVALID_ORDER_ID"
        return "DUPLICATE" if known else None

    def _untimely(self, entered: EnterOrder, *, is_leg: bool) -> RejectReason | None:
        """Say why the market cannot take such an order now."""
        state = self.state
        simple = entered.kind == "limit" and entered.time_in_force in RESTING and entered.conditions is None
        if state.rules.pairs and (is_leg or not simple):
            return "RULE_UNSUPPORTED"
        if state.phase == "closed":
            return "MARKET_CLOSED"
        if state.phase != "continuous" and not can_wait(entered):
            return "NOT_CONTINUOUS"
        return None

    def _unwelcome(self, entered: EnterOrder, without: Order | None) -> RejectReason | None:
        """Say what keeps the order out of this very book."""
        floor, asked = self.floor, entered.conditions or _PLAIN
        if floor.continuous.beyond_collar(entered.side, entered.price):
            return "PRICE_COLLAR"
        if asked.post_only and not self.slid(entered.side, entered.price, asked, without):
            return "POST_ONLY"
        waiting = (
            (bool(asked.trail), floor.triggers.trailing),
            (asked.all_or_none, floor.orders.whole),
            (bool(asked.peg), floor.orders.pegged),
        )
        return "BOOK_FULL" if any(of and len(those) >= WAITING_MAX for of, those in waiting) else None

    def slid(self, side: Side, price: int, asked: Conditions, without: Order | None = None) -> int:
        """Return the price at which a post-only order rests; 0 if it must not."""
        if self.state.phase != "continuous":
            return price
        best = self.floor.continuous.crosses(side, price, without=without)
        if best is None:
            return price
        if asked.post_only == "reject":
            return 0
        beside = best - 1 if side == "buy" else best + 1
        return beside if beside <= PRICE_MAX else 0

    # Coming in

    def accept(self, entered: EnterOrder, *, other: EnterOrder | None = None) -> Order:
        """Accept an order and return it; `other` is the other leg of its group."""
        price, asked = entered.price, entered.conditions or _PLAIN
        if asked.post_only:
            price = self.slid(entered.side, price, asked)
        if entered.account != MARKET:
            self.floor.reports.accepted(entered, price)
        special = fees = None
        if (
            entered.conditions is not None
            or entered.kind != "limit"
            or entered.time_in_force in AUCTION_ONLY
            or other is not None
            or self.state.rules.pairs
        ):
            special = Special(
                kind=entered.kind,
                conditions=asked,
                limit=price if entered.kind == "pegged" else 0,
                stop=asked.stop,
                other=0 if other is None else other.order_id,
                entered_ms=self.floor.clock.now_ms if self.state.rules.pairs else 0,
            )
        if entered.maker_fee or entered.taker_fee:
            rates = entered.maker_fee, entered.taker_fee
            if len(self._fees) >= RATES_MAX:
                self._fees.clear()
            fees = self._fees.setdefault(rates, rates)
        return Order(
            self.floor.orders.arrival(),
            entered.order_id,
            entered.account,
            entered.side,
            price,
            entered.quantity,
            entered.expires_ms,
            0,
            entered.time_in_force,
            fees,
            special,
        )

    def begin(self, order: Order) -> None:
        """Do with an order that was accepted what its kind asks for."""
        special = order.special
        if special is None:
            self.work(order)
        elif special.kind in STOP_KINDS:
            self._await_trigger(order, special)
        elif special.kind == "pegged":
            self._follow_peg(order, special)
        elif special.conditions.all_or_none or (
            order.time_in_force in AUCTION_ONLY and AUCTION_OF.get(self.state.phase) != order.time_in_force
        ):
            self.floor.orders.wait(order)
        else:
            self.work(order)

    def _follow_peg(self, order: Order, special: Special) -> None:
        price = None
        if self.state.phase == "continuous":
            orders = self.floor.orders
            price = peg_price(order, best_unpegged(orders.bids), best_unpegged(orders.asks))
        if price is None:
            self.floor.orders.wait(order)
            return
        order.price, special.waiting = price, False
        self.work(order)

    def _await_trigger(self, order: Order, special: Special) -> None:
        last = self.state.last
        if special.kind == "trailing-stop" and not special.stop and last:
            trail(order, last)
        self.floor.orders.wait(order)
        self.compare_stop(order)

    def compare_stop(self, order: Order) -> None:
        """Let an order with a new stop go off at once, if the last price meets it, or wait for a trade that does (rule 22)."""
        last, triggers = self.state.last, self.floor.triggers
        if last and self.state.phase == "continuous" and is_met(order, last):
            triggers.remove(order)
            fire(self.floor, order, last)
            self.turn(order)
        else:
            triggers.add(order)

    def turn(self, order: Order) -> None:
        """Match an order that has waited, and whose turn has come."""
        self.floor.orders.renumber(order)
        assert order.special is not None
        order.special.waiting = False
        self.work(order)

    def work(self, order: Order) -> None:
        """Match an order, if the market does that now, and let what is left rest or go."""
        floor, orders = self.floor, self.floor.orders
        if self.state.phase != "continuous":
            orders.rest(order)
            return
        if self.state.rules.pairs:
            floor.pairing.match(order, floor.clock.now_ms)
            if order.leaves:
                orders.rest(order)
                floor.pairing.enter(order)
        else:
            self._match(order)
            if order.level is None and order.order_id in orders.by_id:
                orders.forget(order)
        if floor.continuous.interrupted:
            self.phases.interrupt()

    def _match(self, order: Order) -> None:
        """Match an order by price, and let what is left of it rest or go."""
        floor, kind = self.floor, order.kind
        minimum = order.special.conditions.min_quantity if order.special is not None else 0
        if minimum and not order.filled and not floor.continuous.fillable(order, minimum):
            floor.reports.cancelled(order, "MINIMUM_UNFILLED")
            return
        if order.time_in_force == "FOK" and not floor.continuous.fillable(order, order.leaves):
            floor.reports.cancelled(order, "FOK_UNFILLED")
            return
        if kind == "market-to-limit":
            self._match_to_limit(order)
            return
        floor.continuous.match(order)
        if not order.leaves:
            return
        if kind == "market":
            floor.reports.cancelled(order, "MARKET_REMAINDER")
        elif order.time_in_force in ("IOC", "FOK"):
            floor.reports.cancelled(order, "IOC_REMAINDER")
        else:
            floor.orders.rest(order)

    def _match_to_limit(self, order: Order) -> None:
        floor = self.floor
        best = floor.continuous.crosses(order.side, order.price)
        if best is None:
            floor.reports.cancelled(order, "MARKET_REMAINDER")
            return
        assert order.special is not None
        order.price, order.special.kind = best, "limit"
        floor.continuous.match(order)
        if order.leaves:
            floor.reports.amended(order)
            floor.orders.rest(order)
