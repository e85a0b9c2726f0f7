"""The same seed gives the same flow, and the machines take all of it."""

from collections import Counter, defaultdict, deque
from typing import Any

import pytest

from exchange import topics
from exchange.book import Book
from exchange.host import Record, accounts_host, book_host
from exchange.messages import OrderRejected, RequestRejected, Trade
from exchange.packets import decode_order_reports, decode_trades, encode
from generator.flow import Flow, events, setup
from generator.sender import grouped, paced

NOW_MS = 1_700_000_000_000


def now_ms() -> int:
    return NOW_MS


def everything(flow: Flow) -> list[tuple[str, str, Any]]:
    return [*setup(flow, now_ms), *events(flow, now_ms)]


@pytest.mark.parametrize("accounts", [0, 3])
def test_one_seed_is_one_flow(accounts: int) -> None:
    first, again, other = (everything(Flow(seed=seed, orders=500, accounts=accounts)) for seed in (7, 7, 8))
    assert [encode(message) for _, _, message in first] == [encode(message) for _, _, message in again]
    assert first != other


@pytest.mark.parametrize("seed", range(5))
def test_market_flow_trades_and_nothing_of_it_is_dropped(seed: int) -> None:
    books: dict[str, Book] = {}
    kinds: Counter[str] = Counter()
    ids = set()
    for topic, key, message in everything(Flow(seed=seed, orders=3_000, accounts=0)):
        assert topic == topics.BOOK_INBOX
        book = books.setdefault(key, Book(key, "replay", 16))
        assert book.accepts(message)
        kinds.update(type(event).__name__ for event in book.apply(message, NOW_MS))
        assert not book.inbound.holes
        if type(message).__name__ == "EnterOrder":
            ids.add(message.order_id)
    assert len(ids) + sum(kinds.values()) > 3_000
    assert max(ids) < 0
    assert kinds["Trade"] > 500
    assert kinds["OrderRejected"] == 0
    assert len(books) == 2


@pytest.mark.parametrize("seed", range(3))
def test_flow_with_accounts_is_funded_and_listed(seed: int) -> None:
    hosts = {topics.ACCOUNT_INBOX: accounts_host("live", 16), topics.BOOK_INBOX: book_host("live", 16)}
    written: dict[str, list[bytes]] = defaultdict(list)
    for topic, key, message in everything(Flow(seed=seed, orders=1_000, accounts=5)):
        queue = deque([(topic, key, encode(message))])
        while queue:
            name, at, value = queue.popleft()
            written[name].append(value)
            if name in hosts:
                queue.extend(hosts[name].process(Record(name, 0, 0, NOW_MS, at, value), dict).records)
    reports = [report for value in written[topics.ORDER_REPORTS] for report in decode_order_reports(value)]
    trades: list[Trade] = [trade for value in written[topics.TRADES] for trade in decode_trades(value)]
    assert not written[topics.DEAD_LETTERS]
    assert not [report for report in reports if isinstance(report, OrderRejected)]
    assert {report.reason for report in reports if isinstance(report, RequestRejected)} <= {"UNKNOWN_ORDER"}
    assert len(trades) > 100


def test_groups_keep_each_keys_order() -> None:
    flow = [("t", str(number % 2), number) for number in range(7)]
    assert list(grouped(flow, 5)) == [{("t", "0"): [0, 2, 4], ("t", "1"): [1, 3]}, {("t", "1"): [5], ("t", "0"): [6]}]


def test_a_rate_is_kept() -> None:
    moments: list[float] = []
    clock = [50.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    flow = (("t", "k", number) for number in range(200))
    for turn in paced(flow, 100, lambda: False, lambda: clock[0], sleep):
        moments += [clock[0] - 50.0] * len(turn["t", "k"])
    assert len(moments) == 200
    assert all(abs(moment - number / 100) < 0.02 for number, moment in enumerate(moments))


def test_a_stop_ends_a_paced_flow() -> None:
    assert list(paced([("t", "k", 1)], 1, lambda: True)) == []


def test_flows_of_other_options_do_not_pass_for_one() -> None:
    flows = [Flow(seed=7, orders=50, accounts=0, **more) for more in ({}, {"symbols": 3}, {"cancel_share": 0.5})]
    sources = [{message.source for _, _, message in everything(flow) if hasattr(message, "source")} for flow in flows]
    assert len(set.union(*sources)) == 3
    shorter, longer = (list(everything(Flow(seed=7, orders=orders, accounts=0))) for orders in (50, 80))
    assert longer[: len(shorter)] == shorter
