"""Whatever is commanded and whatever a book does, an account shard's money adds up and covers what its orders may cost."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exchange import messages as m
from exchange.accounts import Accounts
from exchange.packets import (
    decode_account_inbox,
    decode_account_updates,
    decode_book_inbox,
    decode_order_reports,
    encode,
)
from exchange.topics import ACCOUNT_UPDATES, BOOK_INBOX, ORDER_REPORTS
from tests.exchange.desk import SHARD, Desk
from tests.exchange.model_book import ModelBook
from tests.exchange.pit import INSTRUMENT, SYMBOL

NAMES = ("alice", "bob", "cy")
SECOND = m.msgspec.structs.replace(INSTRUMENT, tick="0.02", lot="2")
DECODERS = {BOOK_INBOX: decode_book_inbox, ORDER_REPORTS: decode_order_reports, ACCOUNT_UPDATES: decode_account_updates}

names = st.sampled_from(NAMES)
sides = st.sampled_from(("buy", "sell"))
prices = st.integers(1, 120)
lots = st.integers(1, 12)
maybe = st.booleans()
picks = st.integers(0, 10**6)


class AccountsMachine(RuleBasedStateMachine):
    """Three traders, one symbol, and a book whose answers take as long as they like."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def start(self, seed: int) -> None:
        self.desk = Desk()
        self.dice = Random(seed)
        self.book = ModelBook(self.dice, {1: INSTRUMENT.notional_units, 2: SECOND.notional_units})
        self.lot_units = {1: INSTRUMENT.lot_units, 2: SECOND.lot_units}
        self.to_book: deque[Any] = deque()
        self.sent: list[Any] = []
        self.said: Counter[str] = Counter()
        self.paid_in: dict[str, int] = defaultdict(int, {"USD": 10_000, "AAPL": 50})
        for name in NAMES[1:]:
            self.ask(m.OpenAccount, name)
            self.money(name, "USD", 3_000, into=True)
            self.money(name, "AAPL", 30, into=True)

    # Driving

    def tell(self, message: Any) -> None:
        assert decode_account_inbox(encode(message)) == [message]
        events = self.desk.apply(message)
        for event in events:
            topic, _ = self.desk.accounts.address(event)
            assert DECODERS[topic](encode(event)) == [event]
            detail = getattr(event, "reason", None) or ("owed" if getattr(event, "owed", 0) else "")
            self.said[f"{type(event).__name__} {detail}".strip()] += 1
            if topic == BOOK_INBOX:
                self.to_book.append(event)

    def ask(self, kind: Any, account: str, /, **more: Any) -> None:
        command = self.desk.command(kind, account, **more)
        self.sent.append(command)
        self.tell(command)

    def fresh(self) -> str:
        self.desk.requests += 1
        return f"leg{self.desk.requests}"

    def open_id(self, name: str, pick: int) -> int:
        ids = list(self.desk.accounts.accounts[name].orders) or [0]
        return ids[pick % len(ids)]

    # Commands

    @rule(name=names, side=sides, price=prices, quantity=lots, stop=maybe)
    def place(self, name: str, side: m.Side, price: int, quantity: int, stop: bool) -> None:
        more = {"kind": "stop", "conditions": m.Conditions(stop=price)} if stop else {}
        self.ask(m.PlaceOrder, name, symbol=SYMBOL, side=side, price=price, quantity=quantity, **more)

    @rule(name=names, side=sides, first=prices, second=prices, quantity=lots)
    def place_oco(self, name: str, side: m.Side, first: int, second: int, quantity: int) -> None:
        legs = {"first": m.Leg(request_id=self.fresh(), price=first)}
        legs["second"] = m.Leg(request_id=self.fresh(), price=second)
        self.ask(m.PlaceOco, name, symbol=SYMBOL, side=side, quantity=quantity, **legs)

    @rule(name=names, side=sides, price=prices, first=prices, second=prices, quantity=lots)
    def place_bracket(self, name: str, side: m.Side, price: int, first: int, second: int, quantity: int) -> None:
        legs = {"entry": m.Leg(request_id=self.fresh(), price=price)}
        legs["take_profit"] = m.Leg(request_id=self.fresh(), price=first)
        legs["stop_loss"] = m.Leg(request_id=self.fresh(), price=second)
        self.ask(m.PlaceBracket, name, symbol=SYMBOL, side=side, quantity=quantity, **legs)

    @rule(name=names, pick=picks, price=st.integers(0, 120), quantity=st.integers(0, 15))
    def amend(self, name: str, pick: int, price: int, quantity: int) -> None:
        self.ask(m.AmendOrder, name, order_id=self.open_id(name, pick), price=price, quantity=quantity)

    @rule(name=names, pick=picks, side=sides, price=prices, quantity=lots)
    def replace(self, name: str, pick: int, side: m.Side, price: int, quantity: int) -> None:
        self.ask(m.ReplaceOrder, name, order_id=self.open_id(name, pick), side=side, price=price, quantity=quantity)

    @rule(name=names, pick=picks)
    def cancel(self, name: str, pick: int) -> None:
        self.ask(m.CancelOrder, name, order_id=self.open_id(name, pick))

    @rule(name=names)
    def cancel_all(self, name: str) -> None:
        self.ask(m.CancelAll, name)

    @rule(name=names, timeout_ms=st.integers(0, 3_000))
    def set_dead_man(self, name: str, timeout_ms: int) -> None:
        self.ask(m.SetDeadMan, name, timeout_ms=timeout_ms)

    @rule(name=names, asset=st.sampled_from(("USD", "AAPL")), amount=st.integers(1, 3_000), into=maybe)
    def money(self, name: str, asset: str, amount: int, into: bool) -> None:
        before = self.total(asset)
        self.ask(m.Deposit if into else m.Withdraw, name, asset=asset, amount=amount)
        moved = self.total(asset) - before
        assert moved in ((amount,) if into else (0, -amount))
        self.paid_in[asset] += moved

    @precondition(lambda self: self.sent)
    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        before = {name: account.row() for name, account in self.desk.accounts.accounts.items()}
        events = len(self.to_book)
        command = self.sent[pick % len(self.sent)]
        self.tell(command)
        dead_men = len(self.to_book) - events
        assert all(type(event) is m.PullOrder for event in list(self.to_book)[len(self.to_book) - dead_men :])
        assert before == {name: account.row() for name, account in self.desk.accounts.accounts.items()}

    # The operator and the clock

    @rule(ms=st.integers(1, 1_500))
    def tick(self, ms: int) -> None:
        self.desk.now_ms += ms
        self.tell(m.Tick(key=SHARD))

    @rule(name=names, on=maybe)
    def set_kill_switch(self, name: str, on: bool) -> None:
        self.tell(m.SetKillSwitch(key=SHARD, account=name, on=on))

    @rule(name=names, order_lots=st.sampled_from((0, 8)), open_orders=st.sampled_from((0, 4)),
          orders_per_s=st.sampled_from((0, 3)), position_lots=st.sampled_from((0, 70)), tier=st.integers(0, 2))  # fmt: skip
    def set_limits(self, name: str, **limits: int) -> None:
        self.tell(m.SetLimits(key=SHARD, account=name, limits=m.Limits(**limits)))

    @rule(maker=st.integers(-30_000, 30_000), taker=st.integers(0, 60_000))
    def set_fees(self, maker: int, taker: int) -> None:
        tiers = [m.FeeTier(maker=maker, taker=taker), m.FeeTier()]
        self.tell(m.SetFees(key=SHARD, symbol=SYMBOL, tiers=tiers))

    @rule(newer=maybe)
    def list_or_delist(self, newer: bool) -> None:
        if newer:
            self.tell(m.ListInstrument(key=SHARD, instrument=SECOND, version=2))
        else:
            self.tell(m.Delist(key=SHARD, symbol=SYMBOL))

    # The book

    @rule(count=st.integers(1, 6))
    def reach_book(self, count: int) -> None:
        for _ in range(min(count, len(self.to_book))):
            self.book.take(self.to_book.popleft())

    @rule(count=st.integers(1, 8))
    def report(self, count: int) -> None:
        for _ in range(min(count, len(self.book.reports))):
            self.tell(self.book.reports.popleft())

    @precondition(lambda self: self.book.orders)
    @rule(pick=picks, quantity=lots, better=st.integers(0, 20), maker=maybe)
    def trade(self, pick: int, quantity: int, better: int, maker: bool) -> None:
        order_id = list(self.book.orders)[pick % len(self.book.orders)]
        order = self.book.orders[order_id]
        price = max(1, order.price - better) if order.entered.side == "buy" else order.price + better
        self.book.trade(order_id, min(quantity, order.leaves), price, maker=maker)

    @precondition(lambda self: self.book.orders)
    @rule(pick=picks, what=st.sampled_from(("expire", "cancel", "shrink")))
    def end(self, pick: int, what: str) -> None:
        order_id = list(self.book.orders)[pick % len(self.book.orders)]
        order = self.book.orders[order_id]
        if what == "expire":
            self.book.expire(order_id)
        elif what == "cancel":
            self.book.cancel(order_id, "SELF_TRADE")
        elif order.leaves > 1:
            better = max(1, order.price - 1) if order.entered.side == "buy" else order.price + 1
            self.book.shrink(order_id, self.dice.randint(1, order.leaves - 1), better)

    @precondition(lambda self: self.book.fills)
    @rule(pick=picks)
    def bust(self, pick: int) -> None:
        self.book.bust(self.book.fills[pick % len(self.book.fills)])

    # What always holds

    def total(self, asset: str) -> int:
        """Return what all accounts have of an asset, less what they owe."""
        accounts = self.desk.accounts.accounts.values()
        balances = [account.balances[asset] for account in accounts if asset in account.balances]
        return sum(balance.available + balance.reserved - balance.owed for balance in balances)

    @invariant()
    def balances_cover_the_orders(self) -> None:
        if not hasattr(self, "desk"):
            return
        for account in self.desk.accounts.accounts.values():
            held: dict[str, int] = defaultdict(int)
            for order in account.orders.values():
                held[order.asset] += order.held
                assert order.held >= 0
                assert order.held == self.due(account.orders, order)
            for asset, balance in account.balances.items():
                assert min(balance.available, balance.reserved, balance.owed) >= 0
                assert not (balance.available and balance.owed)
                assert balance.reserved == held[asset]

    def due(self, orders: Any, order: Any) -> int:
        """Return what an order must hold, counted anew."""
        ties = order.ties
        if ties is not None and ties.lender and not ties.other:
            return int(order.held)  # it takes the rest from the order that it replaces
        needed = order.target()
        if ties is not None and ties.lender:
            needed = max(0, needed - orders[ties.lender].target())
        elif ties is None:
            cash = order.leaves * order.price * order.listed.notional_units
            needed = order.leaves * order.listed.lot_units
            if order.side == "buy":
                needed = cash + cash * order.fee_ppm // 1_000_000
        return int(needed)

    def teardown(self) -> None:
        """Let everything arrive: then both sides know the same orders, and the money is what came in and what was traded."""
        if not hasattr(self, "desk"):
            return
        while self.to_book or self.book.reports:
            self.reach_book(1_000)
            self.report(1_000)
            self.balances_cover_the_orders()
        accounts: Accounts = self.desk.accounts
        known = {order.order_id: (order.price, order.leaves, order.filled) for order in accounts.orders.values()}
        assert known == {
            order_id: (order.price, order.leaves, order.filled) for order_id, order in self.book.orders.items()
        }
        assert not any(order.pending for order in accounts.orders.values())
        due = dict(self.paid_in)
        for fill in self.book.fills:
            listing = self.book.listing_of[fill.trade]
            sign = 1 if fill.side == "buy" else -1
            due["AAPL"] += sign * fill.quantity * self.lot_units[listing]
            due["USD"] -= sign * fill.quantity * fill.price * self.book.notional_units[listing]
        assert {asset: self.total(asset) for asset in due} == due


AccountsMachine.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAccountsMachine = AccountsMachine.TestCase
