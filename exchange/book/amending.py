"""How orders on the book are changed (docs/MATCHING.md, rule 34)."""

from __future__ import annotations

from exchange.book.entry import Entry
from exchange.book.floor import Floor
from exchange.book.ladder import Order
from exchange.messages import RejectReason, ReviseOrder
from exchange.terms import PARTS_MAX


class Amending:
    """Changes orders."""

    def __init__(self, floor: Floor, entry: Entry) -> None:
        self.floor = floor
        self.state = floor.state
        self.entry = entry

    def amend(self, asked: ReviseOrder) -> None:
        """Give an order other terms, or say why not."""
        order = self.floor.orders.by_id.get(asked.order_id)
        if order is None or order.account != asked.account:
            self.floor.reports.request_rejected(asked, "TOO_LATE")
            return
        price = asked.price or order.limit
        leaves = asked.quantity - order.filled if asked.quantity else order.leaves
        stop = asked.stop or (order.special.stop if order.special is not None else 0)
        rests = order.level is not None
        loses = price != order.limit or leaves > order.leaves
        refusal = self._refusal(order, asked, price, leaves, stop)
        if refusal is None and rests and loses:
            price = self._resting_price(order, price)
            refusal = None if price else "POST_ONLY"
        if refusal is not None:
            self.floor.reports.request_rejected(asked, refusal)
        elif not rests:
            self._change_waiting(order, asked, price, leaves, stop)
        elif not loses:
            self._make_smaller(order, asked, leaves)
        else:
            self._enter_anew(order, asked, price, leaves)

    def _refusal(self, order: Order, asked: ReviseOrder, price: int, leaves: int, stop: int) -> RejectReason | None:
        state, special = self.state, order.special
        if state.rules.pairs:
            return "INVALID_AMENDMENT"
        if state.phase == "closed":
            return "MARKET_CLOSED"
        if leaves <= 0:
            return "BELOW_FILLED"
        display, had = (0, 0) if special is None else (special.conditions.display, special.stop)
        if (asked.stop and order not in self.floor.triggers) or order.order_id in state.fired:
            return "INVALID_AMENDMENT"
        too_many = display and order.filled + leaves > PARTS_MAX * display
        if too_many or (price, leaves, stop) == (order.limit, order.leaves, had):
            return "INVALID_AMENDMENT"
        moved = price != order.limit
        return "PRICE_COLLAR" if moved and self.floor.continuous.beyond_collar(order.side, price) else None

    def _resting_price(self, order: Order, price: int) -> int:
        """Return the price at which a resting order goes on; 0 if it is post-only and must not."""
        special = order.special
        if special is None or not special.conditions.post_only:
            return price
        return self.entry.slid(order.side, price, special.conditions)

    def _make_smaller(self, order: Order, asked: ReviseOrder, leaves: int) -> None:
        """Take lots off an order, which keeps its place."""
        level, orders, reports = order.level, self.floor.orders, self.floor.reports
        assert level is not None
        seen = level.total
        orders.reduce(order, order.leaves - leaves, hidden_first=True)
        reports.amended(order, asked.request_id)
        if level.total != seen:
            reports.order(order)
            reports.delta(order.side, level)

    def _enter_anew(self, order: Order, asked: ReviseOrder, price: int, leaves: int) -> None:
        """Let a resting order lose its priority and be matched under its new terms."""
        orders, pegged = self.floor.orders, order.kind == "pegged"
        before = order.limit, order.leaves
        self._set(order, price, leaves)
        self.floor.reports.amended(order, asked.request_id)
        after = order.limit, order.leaves
        self._set(order, *before)
        orders.leave(order)
        self._set(order, *after)
        orders.renumber(order)
        if not pegged:
            self.entry.work(order)
            return
        assert order.special is not None
        order.special.waiting = True

    def _change_waiting(self, order: Order, asked: ReviseOrder, price: int, leaves: int, stop: int) -> None:
        """Change an order that waits."""
        special = order.special
        assert special is not None
        only_less = (price, stop) == (order.limit, special.stop) and leaves <= order.leaves
        self._set(order, price, leaves)
        special.stop = stop
        self.floor.reports.amended(order, asked.request_id)
        if only_less:
            self.floor.orders.pages.touch(order.number)
            return
        self.floor.orders.renumber(order)
        if order in self.floor.triggers:
            self.entry.compare_stop(order)

    def _set(self, order: Order, price: int, leaves: int) -> None:
        """Give an order other terms; of a pegged one, the price is its protection."""
        order.leaves = leaves
        if order.special is not None and order.special.limit:
            order.special.limit = price
        else:
            order.price = price
