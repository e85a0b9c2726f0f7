"""Whatever traders and operators do, a book keeps what every market must keep; a failure shrinks to the few commands that show it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange import messages as m
from exchange.book import Book
from exchange.instruments import Rules
from exchange.terms import flaw
from tests.exchange.pit import INSTRUMENT, SHARDS, SYMBOL, Pit

sides = st.sampled_from(("buy", "sell"))
traders = st.sampled_from(("alice", "bob", "cy"))
prices = st.integers(95, 105)
lots = st.integers(1, 12)
picks = st.integers(0, 10**6)
phases = st.sampled_from(
    ("pre-open", "opening-auction", "continuous", "continuous", "halt", "closing-auction", "closed")
)
conditions = st.builds(
    m.Conditions,
    stop=st.sampled_from((0, 97, 103)),
    trail=st.sampled_from((0, 0, 2)),
    peg=st.sampled_from((None, None, "bid", "ask", "mid")),
    offset=st.integers(-2, 2),
    display=st.sampled_from((0, 0, 1, 3)),
    post_only=st.sampled_from((None, None, "reject", "slide")),
    min_quantity=st.sampled_from((0, 0, 2)),
    all_or_none=st.booleans(),
    self_trade=st.sampled_from(("none", "newest", "oldest", "both", "decrement")),
)
kinds = st.sampled_from(m.Kind.__args__)
forces = st.sampled_from(m.TimeInForce.__args__)

BANDED = Rules(reference=100, band_ppm=30_000, collar_ppm=60_000)

SPECIALS: tuple[tuple[m.Kind, m.TimeInForce, m.Conditions], ...] = (
    ("limit", "GTC", m.Conditions(display=1)),
    ("limit", "GTC", m.Conditions(display=3, self_trade="decrement")),
    ("limit", "DAY", m.Conditions(post_only="slide")),
    ("limit", "GTC", m.Conditions(post_only="reject", display=2)),
    ("limit", "GTC", m.Conditions(all_or_none=True)),
    ("limit", "IOC", m.Conditions(min_quantity=2, self_trade="oldest")),
    ("limit", "GTC", m.Conditions(self_trade="both")),
    ("limit", "GTC", m.Conditions(self_trade="newest")),
    ("limit", "FOK", m.Conditions(self_trade="newest")),
    ("market", "IOC", m.Conditions()),
    ("market", "OPG", m.Conditions()),
    ("market-to-limit", "GTC", m.Conditions(self_trade="decrement")),
    ("stop", "GTC", m.Conditions(stop=98)),
    ("stop", "GTC", m.Conditions(stop=102)),
    ("stop-limit", "DAY", m.Conditions(stop=101, display=1)),
    ("trailing-stop", "GTC", m.Conditions(trail=2)),
    ("pegged", "GTC", m.Conditions(peg="bid")),
    ("pegged", "GTC", m.Conditions(peg="mid", offset=1)),
    ("pegged", "DAY", m.Conditions(peg="ask", offset=-1)),
)


class BookMachine(RuleBasedStateMachine):
    """One symbol's book, and what its reports add up to."""

    @initialize(rules=st.sampled_from((Rules(), Rules(matching="pro-rata"), BANDED)))
    def start(self, rules: Rules) -> None:
        self.pit = Pit()
        self.pit.tell(m.ListInstrument(key=SYMBOL, instrument=INSTRUMENT, version=2, rules=rules))
        self.ids = 0
        self.leaves: dict[int, int] = {}
        self.traded: dict[str, int] = defaultdict(int)
        self.entries: dict[str, str] = {}

    def tell(self, command: Any) -> None:
        """Give the book a command and fold what it reports."""
        self.pit.now_ms += 1
        for event in self.pit.book.apply(command, self.pit.now_ms):
            if isinstance(event, m.OrderAccepted):
                assert event.order_id not in self.leaves
                self.leaves[event.order_id] = event.quantity
            elif isinstance(event, m.OrderFilled):
                self.leaves[event.order_id] -= event.quantity
                assert self.leaves[event.order_id] == event.leaves
                self.traded[event.side] += event.quantity
                if not event.leaves:
                    del self.leaves[event.order_id]
            elif isinstance(event, m.OrderAmended):
                self.leaves[event.order_id] = event.leaves
            elif isinstance(event, m.OrderCancelled | m.OrderExpired):
                assert self.leaves.pop(event.order_id) == event.quantity

    def known(self, pick: int) -> int:
        """Return the id of an open order, if there is one."""
        return sorted(self.leaves)[pick % len(self.leaves)] if self.leaves else 99

    @rule(trader=traders, side=sides, price=prices, quantity=lots, force=forces)
    def place(self, trader: str, side: m.Side, price: int, quantity: int, force: m.TimeInForce) -> None:
        self.ids += 1
        ends = self.pit.now_ms + 20 if force == "GTD" else 0
        self.tell(
            self.pit.order(trader, self.ids, side, quantity, price, listing=2, time_in_force=force, expires_ms=ends)
        )

    @rule(trader=traders, side=sides, price=prices, quantity=lots, special=st.sampled_from(SPECIALS))
    def place_special(
        self, trader: str, side: m.Side, price: int, quantity: int, special: tuple[m.Kind, m.TimeInForce, m.Conditions]
    ) -> None:
        self.ids += 1
        kind, force, asked = special
        more = {"listing": 2, "kind": kind, "time_in_force": force, "conditions": asked}
        self.tell(self.pit.order(trader, self.ids, side, quantity, price, **more))

    @rule(trader=traders, side=sides, price=prices, quantity=lots, kind=kinds, force=forces, asked=conditions)
    def place_anything(
        self,
        trader: str,
        side: m.Side,
        price: int,
        quantity: int,
        kind: m.Kind,
        force: m.TimeInForce,
        asked: m.Conditions,
    ) -> None:
        self.ids += 1
        more = {"listing": 2, "kind": kind, "time_in_force": force, "conditions": asked}
        order = self.pit.order(trader, self.ids, side, quantity, price, **more)
        wrong = flaw(order)
        self.tell(order)
        assert wrong is None or self.ids not in self.leaves

    @rule(trader=traders, side=sides, quantity=lots, price=prices, stop=prices)
    def place_pair(self, trader: str, side: m.Side, quantity: int, price: int, stop: int) -> None:
        self.ids += 2
        numbers = {**self.pit.numbered(trader), "time_ms": 0}
        common: dict[str, Any] = dict(account=trader, symbol=SYMBOL, side=side, quantity=quantity, listing=2, **numbers)
        first = m.EnterOrder(order_id=self.ids - 1, price=price, **common)
        second = m.EnterOrder(
            order_id=self.ids, price=stop, kind="stop-limit", conditions=m.Conditions(stop=stop), **common
        )
        self.tell(m.EnterOco(account=trader, symbol=SYMBOL, first=first, second=second, **numbers))

    @rule(trader=traders, pick=picks)
    def cancel(self, trader: str, pick: int) -> None:
        numbers = self.pit.numbered(trader)
        self.tell(m.PullOrder(time_ms=0, account=trader, order_id=self.known(pick), symbol=SYMBOL, **numbers))

    @rule(trader=traders, pick=picks, price=st.sampled_from((0, 98, 102)), quantity=st.integers(0, 14))
    def amend(self, trader: str, pick: int, price: int, quantity: int) -> None:
        order_id, numbers = self.known(pick), self.pit.numbered(trader)
        more: dict[str, Any] = {"price": price, "quantity": quantity, **numbers}
        self.tell(m.ReviseOrder(time_ms=0, account=trader, order_id=order_id, symbol=SYMBOL, **more))

    @rule(phase=phases)
    def go(self, phase: m.Phase) -> None:
        self.tell(m.SetPhase(key=SYMBOL, phase=phase))

    @rule(ms=st.integers(1, 200_000))
    def wait(self, ms: int) -> None:
        self.pit.now_ms += ms
        self.tell(m.Tick(key=SYMBOL))

    @rule()
    def restore(self) -> None:
        """Lose the book and make it again from what it has stored."""
        for name, text in self.pit.book.changes().items():
            if text is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = text
        self.pit.book = Book(SYMBOL, "live", SHARDS, dict(self.entries))

    @invariant()
    def reports_and_book_agree(self) -> None:
        assert {order_id: order.leaves for order_id, order in self.pit.book.orders.items()} == self.leaves
        assert min(self.leaves.values(), default=1) >= 1

    @invariant()
    def as_much_is_bought_as_sold(self) -> None:
        assert self.traded["buy"] == self.traded["sell"]

    @invariant()
    def continuous_trading_leaves_nothing_that_crosses(self) -> None:
        bid, ask = self.pit.book.best()
        if self.pit.book.state.phase == "continuous" and bid is not None and ask is not None:
            assert bid < ask

    @invariant()
    def levels_are_what_is_seen_of_their_orders(self) -> None:
        for ladder in (self.pit.book.bids, self.pit.book.asks):
            for level in ladder:
                orders = list(level)
                assert orders
                assert [order.number for order in orders] == sorted(order.number for order in orders)
                assert level.hidden == sum(order.hidden for order in orders)
                assert level.total + level.hidden == sum(order.leaves for order in orders)


BookMachine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestBookMachine = BookMachine.TestCase
