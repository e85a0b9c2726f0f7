"""The fast book and the plain one, driven by the same seeded flow of every command, say the same at each step.

`OPENBELL_NIGHT=1` runs a longer flow, `OPENBELL_SEED=7` that seed of every profile alone.
"""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import unified_diff
from typing import Any, get_args
from zlib import crc32

import msgspec
import pytest

from exchange import messages as m
from exchange import terms, topics
from exchange.book import Book, trading
from exchange.book.continuous import Continuous
from exchange.book.orders import Orders
from exchange.book.trading import Trading
from tests.exchange.book_flow import Flow
from tests.exchange.book_profiles import ACCOUNTS, PROFILES
from tests.exchange.pit import SHARDS, SYMBOL, line
from tests.exchange.reference.book import ReferenceBook
from tests.exchange.reference.orders import can_wait, flaw, leg_flaw

COMMANDS, COMMANDS_AT_NIGHT = 50_000, 1_000_000
RUN, FLOOD = 1_500, 2_500
"""Commands in one run, and in one that floods a book to begin with."""
CHECKSUM_EVENTS = 32
ON_DELTAS = ("bid", "ask", "phase", "indicated", "bust")
"""How the lines of events that stand in `book-deltas` begin."""


def runs() -> list[Any]:
    """Return the runs, each a profile and a seed."""
    given = os.environ.get("OPENBELL_SEED")
    commands = COMMANDS_AT_NIGHT if os.environ.get("OPENBELL_NIGHT") == "1" else COMMANDS
    seeds = range(math.ceil(commands / RUN / len(PROFILES))) if given is None else (int(given),)
    return [pytest.param(profile, seed, id=f"{profile}-{seed}") for profile in PROFILES for seed in seeds]


def length(profile: str) -> int:
    return FLOOD if PROFILES[profile].flood else RUN


class Comparison:
    """Both books, side by side."""

    def __init__(self, profile: str, seed: int) -> None:
        self.profile, self.seed = profile, seed
        clock = PROFILES[profile].clock
        self.book, self.twin = Book(SYMBOL, clock, SHARDS), ReferenceBook(clock)
        self.flow = Flow(profile, seed, self.twin)
        self.entries: dict[str, str] = {}
        self.dice = random.Random(seed)
        self.commands = self.snapshots = self.unsummed = 0
        self.counts: Counter[Any] = Counter()
        self.seen: dict[str, dict[int, int]] = {"bid": {}, "ask": {}}
        self.seen_orders: dict[str, tuple[str, int, int]] = {}

    def run(self) -> None:
        """Take all commands; with an odd seed the book is often lost and restored."""
        for _ in range(length(self.profile)):
            self.step()
            if self.seed % 2 and self.dice.random() < 0.05:
                self.restore()

    def step(self) -> None:
        """Give both the next command, and compare all that is to be seen of them."""
        command = self.flow.next()
        self.commands += 1
        plain = self.twin.apply(command, self.flow.now_ms)
        assert self.book.accepts(command), self.where(command)
        try:
            events = self.book.apply(command, self.flow.now_ms)
        except Exception as error:
            raise AssertionError(f"{self.where(command)}\nthe book raised {error!r}") from error
        fast = [line(event) for event in events if not isinstance(event, m.BookSnapshot | m.BookChecksum)]
        self.same(command, "lines", fast, plain)
        self.count(command, events)
        self.compare_snapshots(command, [event for event in events if isinstance(event, m.BookSnapshot)])
        self.compare_checksums(command, [event for event in events if isinstance(event, m.BookChecksum)], plain)
        self.fold(command, plain)
        self.same(command, "deadline", [self.book.deadline_ms()], [self.twin.deadline_ms()])
        if self.commands % 10 == 0:
            self.same(command, "orders", rows(self.book.orders.values()), rows(self.twin.orders))

    def same(self, command: m.Message, what: str, fast: list[Any], plain: list[Any]) -> None:
        """Fail, with the difference, unless both say the same."""
        if fast != plain:
            texts = ([str(one) for one in plain], [str(one) for one in fast])
            difference = "\n".join(unified_diff(*texts, "plain book", "fast book", lineterm="", n=99))
            raise AssertionError(f"{self.where(command)}\n{what} differ:\n{difference}")

    def where(self, command: m.Message) -> str:
        again = f"OPENBELL_SEED={self.seed} make test ARGS='tests/exchange/test_book_reference.py -k {self.profile}'"
        return f"seed {self.seed}, profile {self.profile}, command {self.commands}: {command}\nto run it alone: {again}"

    def count(self, command: m.Message, events: list[Any]) -> None:
        """Check that each event is one that its readers accept, under the next number of its channel."""
        for event in events:
            assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event, self.where(command)
            address = self.book.address(event)
            if address[0] != topics.DEAD_LETTERS:
                self.counts[address] += 1
                self.same(command, f"numbers of {address}", [event.seq], [self.counts[address]])

    def compare_snapshots(self, command: m.Message, snapshots: list[m.BookSnapshot]) -> None:
        twin, totals = self.twin, self.twin.totals()
        for found in snapshots:
            self.snapshots += 1
            seen = [found.bids, found.asks, found.trade, found.listing, found.phase, found.rules]
            bids, asks = sorted(totals["buy"].items(), reverse=True), sorted(totals["sell"].items())
            self.same(command, "snapshot", seen, [bids, asks, twin.trades, twin.listing, twin.phase, twin.rules])

    def compare_checksums(self, command: m.Message, checksums: list[m.BookChecksum], said: list[str]) -> None:
        self.unsummed += sum(text.split()[0] in ON_DELTAS for text in said)
        due = self.unsummed >= CHECKSUM_EVENTS
        if due:
            self.unsummed = 0
        found = [checksum.crc32 for checksum in checksums]
        self.same(command, "checksums", found, [top_ten(self.twin)] if due else [])

    def fold(self, command: m.Message, said: list[str]) -> None:
        """Check that who follows the deltas knows what is seen, price by price and, where that is published, order by order."""
        totals = self.twin.totals()
        for words in map(str.split, said):
            if words[0] in self.seen:
                self.seen[words[0]][int(words[1].rstrip(":"))] = int(words[2])
            elif words[0] == "order":
                self.seen_orders[words[1]] = (words[2], int(words[5]), int(words[3]))
        self.seen = {side: {at: lots for at, lots in prices.items() if lots} for side, prices in self.seen.items()}
        if self.twin.phase == "continuous" and self.twin.rules.matching in ("price-time", "pro-rata"):
            bid, ask = (self.twin.best(side) for side in ("buy", "sell"))
            assert not bid or not ask or bid < ask, f"{self.where(command)}\ncrossed: {bid} {ask}"
        self.same(command, "what deltas say", [self.seen["bid"], self.seen["ask"]], [totals["buy"], totals["sell"]])
        self.seen_orders = {number: order for number, order in self.seen_orders.items() if order[2]}
        if not self.twin.rules.order_by_order:
            self.seen_orders.clear()
            return
        orders = sorted((order.side, order.price, order.seen) for order in self.twin.orders if order.resting)
        self.same(command, "what order deltas say", sorted(self.seen_orders.values()), orders)

    def restore(self) -> None:
        """Lose the book and make it again from what it has stored."""
        for name, text in self.book.changes().items():
            if text is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = text
        self.book = Book(SYMBOL, PROFILES[self.profile].clock, SHARDS, dict(self.entries))


def rows(orders: Iterable[Any]) -> list[Any]:
    """Return what both books know of their orders."""
    return sorted((order.order_id, order.account, order.side, order.leaves, order.filled) for order in orders)


def top_ten(twin: ReferenceBook) -> int:
    """Return the checksum of the best ten prices of each side."""
    totals = twin.totals()
    bids, asks = sorted(totals["buy"].items(), reverse=True), sorted(totals["sell"].items())
    texts = []
    for place in range(10):
        texts += [f"{price}:{quantity}" for side in (bids, asks) for price, quantity in side[place : place + 1]]
    return crc32(":".join(texts).encode())


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "seed"), runs())
def test_the_fast_book_says_what_the_plain_book_says(profile: str, seed: int) -> None:
    books = Comparison(profile, seed)
    books.run()
    assert books.snapshots > 0


# The flow reaches what it is meant to reach


def reached() -> Counter[str]:
    """Count, over short runs of the plain book alone, each word of what was asked and said."""
    words: Counter[str] = Counter()
    for profile in PROFILES:
        for seed in range(1 if PROFILES[profile].flood else 2):
            twin = ReferenceBook(PROFILES[profile].clock)
            flow = Flow(profile, seed, twin)
            for _ in range(FLOOD if PROFILES[profile].flood else 600):
                command = flow.next()
                words[type(command).__name__] += 1
                for order in orders_of(command):
                    words.update((order.kind, order.time_in_force))
                    asked = order.conditions or m.Conditions()
                    words.update(name for name in asked.__struct_fields__ if getattr(asked, name))
                    words.update(str(value) for value in (asked.peg, asked.post_only, asked.self_trade) if value)
                words[twin.phase] += 1
                words[twin.rules.matching] += 1
                for text in twin.apply(command, flow.now_ms):
                    words.update(text.split())
    return words


def orders_of(command: m.Message) -> list[m.EnterOrder]:
    match command:
        case m.EnterOrder():
            return [command]
        case m.EnterOco():
            return [command.first, command.second]
        case m.SwapOrder():
            return [command.order]
    return []


def test_the_flow_reaches_every_command_condition_phase_and_reason() -> None:
    words = reached()
    commands = {kind.__name__ for kind in get_args(m.BookCommand)}
    terms_of_orders = {*get_args(m.Kind), *get_args(m.TimeInForce), *m.Conditions.__struct_fields__}
    terms_of_orders |= {"bid", "ask", "mid", "reject", "slide", *get_args(m.SelfTrade)}
    markets = {*get_args(m.Phase), "price-time", "pro-rata", "exact", "equal-quantity"}
    lines = {"trade", "auction", "bid", "ask", "order", "phase", "indicated", "bust", "fee", *"+=-!~*^x"}
    reasons = {*get_args(m.CancelReason)} | _REFUSALS
    wanted = commands | terms_of_orders | markets | lines | reasons
    assert {word for word in wanted if words[word] < 5} == set()


_REFUSALS = {
    "UNKNOWN_SYMBOL", "DELISTED", "STALE_LISTING", "EXPIRED", "INVALID_ORDER_ID", "DUPLICATE", "INVALID_TIME_IN_FORCE",
    "INVALID_CONDITIONS", "RULE_UNSUPPORTED", "MARKET_CLOSED", "NOT_CONTINUOUS", "PRICE_COLLAR", "POST_ONLY", "BOOK_FULL",
    "TOO_LATE", "BELOW_FILLED", "INVALID_AMENDMENT",
}  # fmt: skip
"""The reasons for which a book refuses, but HALTED, which is about its machine."""


def test_a_flow_is_a_function_of_its_seed() -> None:
    twins = [ReferenceBook(), ReferenceBook()]
    flows = [Flow("specials", 7, twin) for twin in twins]
    for _ in range(300):
        first, second = (flow.next() for flow in flows)
        assert first == second
        assert twins[0].apply(first, flows[0].now_ms) == twins[1].apply(second, flows[1].now_ms)


def test_the_rules_of_what_goes_together_are_those_of_the_table() -> None:
    flow = Flow("wrong", 0, ReferenceBook())
    found: Counter[Any] = Counter()
    for number in range(20_000):
        quantity = 1 + number % 5
        drawn = flow.nonsense(quantity) if number % 2 else flow.special("buy", quantity)
        order = flow.order(ACCOUNTS[0], "buy", quantity, drawn.pop("price"), **drawn)
        assert terms.flaw(order) == flaw(order), f"{order}"
        assert terms.leg_flaw(order) == leg_flaw(order), f"{order}"
        large = msgspec.structs.replace(order, quantity=1_000 * quantity + number % 3 - 1)
        assert (terms.flaw(large), terms.leg_flaw(large)) == (flaw(large), leg_flaw(large)), f"{large}"
        if flaw(order) is None:
            assert terms.can_wait(order) == can_wait(order), f"{order}"
        found[flaw(order)] += 1
    assert min(found.values()) > 500
    assert set(found) == {None, "INVALID_TIME_IN_FORCE", "INVALID_CONDITIONS"}


# The comparison has teeth: with a rule broken, it finds a run that goes wrong


def nothing(*_: object) -> None:
    return None


def yes(*_: object) -> bool:
    return True


def no_fees(*_: object) -> tuple[int, int]:
    return 0, 0


@pytest.mark.parametrize(
    ("owner", "name", "broken", "profile"),
    [
        (Trading, "cut", nothing, "stops"),
        (trading, "fees", no_fees, "fees"),
        (Continuous, "_inside", yes, "interrupted"),
        (Orders, "renumber", nothing, "order-by-order"),
    ],
)
def test_a_broken_rule_is_found_out(
    owner: object, name: str, broken: Callable[..., object], profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError, match=r"differ|raised"):
        Comparison(profile, 0).run()
