"""The servers behind the gateway are killed and frozen while clients of the Binance-shaped API trade: each order once, and nothing lost in silence."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from venue import Venue

from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from tests.clients.conftest import openbell
from tests.system.signed_client import Answer, Book, Client, Key, Listener

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SYMBOL = "SPRUCEUSD"
BASE = SYMBOL.removesuffix("USD")
USER = "faulted"
PASSWORD = "correct horse battery staple"
WAIT_S = 90
BACK_S = 120
"""Time for a killed server to be started again and be caught up with."""
ORDERS = 100
"""Orders for each of the two jobs that are stopped."""
LANES = 4

UNREADABLE = (503, -1001)
UNKNOWN = (504, -1007)
NOT_TAKEN = (503, -1008)


class Desk(Client):
    """A trader's client, and what the stack says of itself."""

    def __init__(self, stack: Stack, key: Key) -> None:
        super().__init__(key, SYMBOL)
        self.stack = stack

    def until(self, condition: Callable[[], Any], what: str, seconds: float = WAIT_S) -> None:
        assert wait_until(lambda: bool(condition()), seconds, every=0.1), f"not within {seconds} s: {what}"

    def is_ready(self) -> bool:
        return _get(f"{self.stack.page_url}/ready").status == 200

    def place_until_known(self, order_id: str, **terms: Any) -> int:
        """Place an order as a client does that tries again under its id; return the order's id."""
        answers: list[Answer] = []

        def known() -> bool:
            answers.append(self.place(order_id, **terms))
            assert answers[-1].status in (0, 200, 429, 503, 504), answers[-1]
            return answers[-1].status == 200

        self.until(known, f"the order {order_id} has an outcome", BACK_S)
        return int(answers[-1].body["orderId"])

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.stack.page_url}/metrics", timeout=30).text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))

    @contextmanager
    def stopped(self, service: str, end: signal.Signals) -> Iterator[None]:
        """Freeze a service, and let it go on or kill it at the end."""
        pid = self.stack.pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, end)


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Iterator[Desk]:
    """A funded trader of a symbol of its own, with a maker's offer far away."""
    venue = Venue(stack, stack.venue, stack.settings.clock)
    venue.list(SYMBOL)
    user = openbell(stack, "user", "create", USER, "--role", "trader", typed=f"{PASSWORD}\n")
    made = openbell(stack, "key", "create", USER, "--scope", "read", "--scope", "trade")
    venue.fund(user["account"], **{"USD": 10**11, BASE: 10_000})
    desk = Desk(stack, Key(stack.page_url, made["key_id"], made["secret"]))
    desk.until(lambda: len(desk.ask("GET", "account").body.get("balances", ())) == 2, "the account is funded")
    desk.until(lambda: desk.read("depth", symbol=SYMBOL).status == 200, "the symbol is listed")
    yield desk
    desk.until(desk.is_ready, "the page is ready for the tests to come", BACK_S)


@pytest.fixture(autouse=True)
def _all_is_well(desk: Desk) -> None:
    desk.until(desk.is_ready, "all is well", BACK_S)


def _get(url: str) -> Answer:
    try:
        answer = httpx.get(url, timeout=30)
    except httpx.TransportError:
        return Answer(0, None)
    return Answer(answer.status_code, answer.text)


def _own_events(desk: Desk) -> Listener:
    listener = Listener(f"{desk.key.url}/ws-api/v3")
    assert listener.call(desk.key, "userDataStream.subscribe.signature").status == 200
    return listener


def _ended_with_reason(listener: Listener) -> bool:
    """Say whether the server has closed a websocket, which it must not without a reason."""
    if listener.ended is None:
        return False
    code, reason = listener.ended
    assert code in (1008, 1013), listener.ended
    assert reason
    print(f"closed: {code} {reason}")
    return True


def test_while_redis_is_away_orders_are_taken_and_reads_refused_and_later_all_of_it_is_told(desk: Desk) -> None:
    with (
        _own_events(desk) as own,
        Listener(f"{desk.key.url}/ws/{SYMBOL.lower()}@depth@100ms") as depth,
    ):
        desk.until(lambda: desk.place("redis-first").status == 200, "an order is placed")
        desk.until(lambda: depth.events("depthUpdate"), "the stream tells of it")
        book = Book(desk.read("depth", symbol=SYMBOL).body)
        with desk.stopped("redis", signal.SIGKILL):
            desk.until(lambda: not desk.is_ready(), "the gateway says that it cannot read")
            frozen = desk.place("redis-rest", price="10.10")
            print(f"-1007 after {frozen.seconds:.1f} s, Redis frozen")
            assert frozen.code == UNKNOWN
            assert own.call(desk.key, "order.place", **desk.terms("redis-socket", price="10.20")).code == UNKNOWN
            assert desk.metric("openbell_limits_together") == 0
            for read in (desk.ask("GET", "account"), desk.find("redis-rest"), desk.read("depth", symbol=SYMBOL)):
                assert read.code == UNREADABLE
                assert read.retry_after
        killed = desk.place("redis-killed", price="10.30")
        assert killed.code in (UNKNOWN, (200, 0)), killed
        desk.until(desk.is_ready, "the views are rebuilt", BACK_S)
        desk.until(lambda: desk.metric("openbell_limits_together") == 1, "limits are counted together again")
        ids = {f"redis-{name}" for name in ("first", "rest", "socket", "killed")}
        desk.until(lambda: all(desk.find(order_id).status == 200 for order_id in ids), "each order can be asked for")
        placed = desk.open_orders()
        assert {order_id for order_id in placed if order_id.startswith("redis-")} == ids
        for order_id, price in zip(("rest", "socket", "killed"), ("10.10", "10.20", "10.30"), strict=True):
            again = desk.place(f"redis-{order_id}", price=price)
            assert (again.status, again.body["orderId"]) == (200, placed[f"redis-{order_id}"])
        assert desk.open_orders() == placed
        if not _ended_with_reason(own):
            desk.until(lambda: len(own.events("executionReport")) >= len(ids), "the events come, too")
            _in_order_without_gap(own, ids)
        snapshot = desk.read("depth", symbol=SYMBOL).body
        told = lambda: [event for event in depth.events("depthUpdate") if event["u"] <= snapshot["lastUpdateId"]]  # noqa: E731
        if not _ended_with_reason(depth):
            caught_up = lambda: told() and told()[-1]["u"] == snapshot["lastUpdateId"]  # noqa: E731
            desk.until(lambda: caught_up() or _ended_with_reason(depth), "the stream has caught up")
        if depth.ended is None:
            assert book.follow(told()) == snapshot
    desk.ask("DELETE", "openOrders", symbol=SYMBOL)


def _in_order_without_gap(own: Listener, ids: set[str]) -> None:
    """Each order is told as new once, and the reports' numbers rise."""
    reports = own.events("executionReport")
    assert sorted(report["c"] for report in reports if report["x"] == "NEW") == sorted(ids)
    numbers = [report["I"] for report in reports]
    assert numbers == sorted(set(numbers))


def test_kafka_away_is_refused_before_it_has_an_order_and_unknown_after_and_asking_settles_it(desk: Desk) -> None:
    seeds = f"http://127.0.0.1:{desk.stack.settings.seed_port}"
    with _own_events(desk) as own:
        desk.until(lambda: desk.place("kafka-first").status == 200, "an order is placed")
        with desk.stopped("kafka", signal.SIGCONT):
            frozen = desk.place("kafka-frozen")
            print(f"-1007 after {frozen.seconds:.1f} s, Kafka frozen")
            assert frozen.code == UNKNOWN
            assert desk.find("kafka-frozen").code == (400, -2013), "nothing is known of it yet"
            refused = desk.place("kafka-refused")
            assert (refused.code, refused.retry_after) == (NOT_TAKEN, "1")
            assert own.call(desk.key, "order.place", **desk.terms("kafka-refused")).code == NOT_TAKEN
            assert desk.ask("GET", "account").status == 200, "what is in the views can be read"
            assert desk.read("depth", symbol=SYMBOL).status == 200
            assert _seed_post(f"{seeds}/ingest", _INGESTED) == 503
            assert _seed_post(f"{seeds}/api/v1/orders/place", _SEED_ORDER) == 503
            signed_in = httpx.post(
                f"{desk.key.url}/sign-in", data={"name": USER, "password": "wrong" * 4}, headers=_SAME_SITE, timeout=30
            )
            assert signed_in.status_code < 500, "nobody who signs in waits for Kafka"
            assert desk.metric("openbell_audit_waiting") >= 1
        desk.until(lambda: desk.find("kafka-frozen").status == 200, "the order is in the log", BACK_S)
        assert desk.place_until_known("kafka-frozen") == desk.find("kafka-frozen").body["orderId"]
        assert desk.find("kafka-refused").code == (400, -2013)
        os.kill(desk.stack.pid("kafka"), signal.SIGKILL)
        answers: list[Answer] = []

        def refused_now() -> bool:
            answers.append(desk.place(f"kafka-gone-{len(answers)}"))
            return answers[-1].code == NOT_TAKEN

        desk.until(refused_now, "an order is refused")
        last, sent = f"kafka-gone-{len(answers) - 1}", [f"kafka-gone-{number}" for number in range(len(answers) - 1)]
        assert {answer.code for answer in answers[:-1]} <= {UNKNOWN, (200, 0)}
        desk.until(desk.is_ready, "Kafka is back", BACK_S)
        assert desk.find(last).code == (400, -2013), "what was refused had no effect"
        placed = {order_id: desk.place_until_known(order_id) for order_id in [*sent, last]}
        placed |= {order_id: desk.find(order_id).body["orderId"] for order_id in ("kafka-first", "kafka-frozen")}
        assert {key: value for key, value in desk.open_orders().items() if key.startswith("kafka-")} == placed
        desk.until(lambda: len(own.events("executionReport")) >= len(placed), "the events come, too")
        _in_order_without_gap(own, set(placed))
    desk.until(lambda: desk.metric("openbell_audit_waiting") == 0, "the audit log has all entries")
    assert openbell(desk.stack, "audit", "--verify")["ok"]
    entries = openbell(desk.stack, "audit", "--user", USER)
    assert entries[-1]["action"] == "log-in-refused"
    desk.ask("DELETE", "openOrders", symbol=SYMBOL)


_SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
_INGESTED = {"data_type": "economic_indicator", "indicator_name": "faults", "value": 1.0, "timestamp": 1_100_000_000}
_SEED_ORDER = {"symbol": SYMBOL, "qty": 1, "side": "buy", "type": "limit", "price": 1, "time_in_force": "gtc"}


def _seed_post(url: str, body: dict[str, Any]) -> int:
    return httpx.post(url, json=body, timeout=30).status_code


@pytest.mark.parametrize("job", ["accounts", "matching"])
def test_orders_that_are_tried_again_while_a_job_is_stopped_and_resumed_are_placed_once_each(
    desk: Desk, job: str
) -> None:
    ids = [f"{job}-{number}" for number in range(ORDERS)]
    placed: dict[str, int] = {}
    failures: list[BaseException] = []
    begun, stopped = threading.Event(), threading.Event()

    def trade(lane: int) -> None:
        client = Desk(desk.stack, desk.key)
        try:
            for number in range(lane, ORDERS, LANES):
                if number >= ORDERS // 4:
                    begun.set()
                if number >= 3 * ORDERS // 4:  # so that some are sent to a job that is not there, however fast all goes
                    assert stopped.wait(BACK_S)
                placed[ids[number]] = client.place_until_known(ids[number])
        except BaseException as error:
            failures.append(error)
            begun.set()
            raise

    with _own_events(desk) as own:
        lanes = [threading.Thread(target=trade, args=(lane,)) for lane in range(LANES)]
        for lane in lanes:
            lane.start()
        assert begun.wait(BACK_S)
        savepoint = desk.stack.jobs.stop(job)
        stopped.set()
        assert savepoint is not None
        desk.stack.jobs.submit(job, restore=savepoint)
        desk.stack.jobs.wait_running(job, BACK_S)
        for lane in lanes:
            lane.join(2 * BACK_S)
        assert not failures
        opened = {key: value for key, value in desk.open_orders().items() if key.startswith(f"{job}-")}
        assert opened == placed
        assert len(set(placed.values())) == ORDERS
        assert own.ended is None
        desk.until(lambda: len(own.events("executionReport")) >= ORDERS, "the events have come")
        _in_order_without_gap(own, set(ids))
    desk.ask("DELETE", "openOrders", symbol=SYMBOL)
