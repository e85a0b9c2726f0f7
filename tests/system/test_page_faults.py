"""The servers behind the page are killed and frozen while people use it: what it says meanwhile, and that nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from venue import Venue

from openbell.stack import Stack
from openbell.supervise.processes import wait_until

pytestmark = pytest.mark.stack

SYMBOL = "MAPLEUSD"
WAIT_S = 90
BACK_S = 120
"""Time for a killed server to be started again and be caught up with."""


class Page:
    """The page's REST API, as a program uses it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.orders = 0

    def ask(self, path: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
        """Return the status and what was answered; 0 if nothing."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.stack.page_url}{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)
        except URLError:
            return 0, None

    def place(self, request_id: str, side: str = "buy", price: str = "10.00") -> tuple[int, Any]:
        order = {"symbol": SYMBOL, "side": side, "price": price, "quantity": "1", "request_id": request_id}
        return self.ask("/api/native/orders", order)

    def open_orders(self) -> list[str]:
        orders = self.ask("/api/native/orders")[1]["open_orders"]
        return sorted(order["request_id"] for order in orders if order["symbol"] == SYMBOL)

    def shown(self) -> dict[str, Any]:
        """Return all views of the symbol and the account, without the time of the reading."""
        paths = [
            f"depth/{SYMBOL}",
            f"trades/{SYMBOL}",
            f"candles/{SYMBOL}?span=1d",
            f"markets/{SYMBOL}",
            "balances",
            "orders",
        ]
        return {path: self.ask(f"/api/native/{path}") for path in paths}

    def status(self) -> dict[str, Any]:
        code, status = self.ask("/api/native/status")
        assert code == 200, status
        found: dict[str, Any] = status
        return found

    def until(self, condition: Callable[[], bool], what: str, seconds: float = WAIT_S) -> None:
        assert wait_until(condition, seconds, every=0.1), f"not within {seconds} s: {what}; {self.status()}"


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[Page]:
    """The shared stack's page, with a symbol of its own that the demo account can trade."""
    Venue(stack, stack.venue, stack.settings.clock).list(SYMBOL)
    page = Page(stack)
    asset = SYMBOL.removesuffix("USD")
    funded = lambda: any(balance["asset"] == asset for balance in page.ask("/api/native/balances")[1])  # noqa: E731
    page.until(funded, "the demo account has the symbol's shares")
    yield page
    page.until(lambda: page.status()["live"], "the page is live for the tests to come", BACK_S)


def test_a_killed_redis_stops_no_order_and_its_views_come_back_as_they_were(page: Page) -> None:
    assert page.place("before-1", "sell", "12.00")[0] == 201
    assert page.place("before-2", "buy", "12.00")[0] == 201
    assert page.place("before-3", "buy", "11.00")[0] == 201
    page.until(lambda: _caught_up(page.shown()), "all views show the trade and the order that is left")
    before = page.shown()
    pid = page.stack.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        page.until(lambda: not page.status()["live"], "the page says that its data are old")
        assert page.ask("/ready")[0] == 503
        status, answer = page.place("meanwhile")
        assert (status, answer["error"]) == (504, "UNKNOWN_OUTCOME")
    finally:
        os.kill(pid, signal.SIGKILL)
    page.until(lambda: page.status()["live"], "the views are rebuilt", BACK_S)
    assert page.ask("/api/native/requests/meanwhile")[1]["outcome"]["state"] == "ACCEPTED"
    order_id = page.ask("/api/native/requests/meanwhile")[1]["order"]["order_id"]
    assert page.ask(f"/api/native/orders/{order_id}", method="DELETE")[0] == 200
    page.until(lambda: _caught_up(page.shown()), "all views show that the order is gone")
    after = page.shown()
    for path in (f"trades/{SYMBOL}", f"candles/{SYMBOL}?span=1d"):
        assert after[path] == before[path]
    assert _levels(after) == _levels(before)
    assert _open(after) == _open(before)
    assert _amounts(after) == _amounts(before)


def _caught_up(shown: dict[str, Any]) -> bool:
    """Whether the views, which each have a topic of their own, show one trade and one order: an answer waits for the account's only."""
    bids, asks = _levels(shown)
    counted = [sum(candle["trades"] for candle in shown[f"candles/{SYMBOL}?span=1d"][1])]
    counted.append(len(shown[f"trades/{SYMBOL}"][1]))
    waiting = [order["request_id"] for order in _open(shown) if order["symbol"] == SYMBOL]
    return counted == [1, 1] and (len(bids), len(asks)) == (1, 0) and waiting == ["before-3"]


def _levels(shown: dict[str, Any]) -> tuple[Any, Any]:
    depth = shown[f"depth/{SYMBOL}"][1]
    return depth["bids"], depth["asks"]


def _open(shown: dict[str, Any]) -> Any:
    return shown["orders"][1]["open_orders"]


def _amounts(shown: dict[str, Any]) -> Any:
    return {balance["asset"]: (balance["available"], balance["reserved"]) for balance in shown["balances"][1]}


def test_a_projector_that_stands_still_is_told_and_what_it_missed_is_shown_later(page: Page) -> None:
    pid = page.stack.pid("projector")
    os.kill(pid, signal.SIGSTOP)
    try:
        page.until(lambda: "projector" in page.status()["reason"], "the page says that the projector is down")
        status, answer = page.place("unseen")
        assert (status, answer["error"]) == (504, "UNKNOWN_OUTCOME")
        assert page.ask("/api/native/requests/unseen")[0] == 404
    finally:
        os.kill(pid, signal.SIGKILL)
    page.until(lambda: page.ask("/api/native/requests/unseen")[0] == 200, "the order is shown", BACK_S)
    assert "unseen" in page.open_orders()


def test_orders_are_refused_while_kafka_is_gone_and_taken_again_when_it_is_back(page: Page) -> None:
    page.until(lambda: page.ask("/ready")[0] == 200, "all is well", BACK_S)
    os.kill(page.stack.pid("kafka"), signal.SIGKILL)
    answers = []

    def refused() -> bool:
        answers.append(page.place(f"gone-{len(answers)}"))
        return answers[-1][0] == 503

    page.until(refused, "an order is refused")
    assert answers[-1][1]["error"] == "NOT_TAKEN"
    page.until(lambda: page.ask("/ready")[0] == 200, "Kafka is back", BACK_S)
    last = f"gone-{len(answers) - 1}"
    assert page.ask(f"/api/native/requests/{last}")[0] == 404
    page.until(lambda: page.place(last)[0] == 201, "the exchange goes on, too")
    taken = [f"gone-{number}" for number, (status, _) in enumerate(answers) if status in (201, 504)]
    for request_id in taken:
        assert page.place(request_id)[0] == 201
    assert set(page.open_orders()) >= {last, *taken}
    assert len(page.open_orders()) == len(set(page.open_orders()))


def test_an_order_whose_outcome_is_unknown_is_settled_by_asking_and_by_sending_it_again(page: Page) -> None:
    page.until(lambda: page.ask("/ready")[0] == 200, "all is well", BACK_S)
    pid = page.stack.pid("kafka")
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        status, answer = page.place("frozen")
        assert (status, answer["error"]) == (504, "UNKNOWN_OUTCOME")
        assert "/api/native/requests/frozen" in answer["fields"]["request_id"]
        page.until(lambda: page.place("refused")[0] == 503, "further orders are refused")
    finally:
        os.kill(pid, signal.SIGCONT)
    print(f"Kafka stood still for {time.monotonic() - begun:.1f} s")
    page.until(lambda: page.ask("/ready")[0] == 200, "Kafka goes on", BACK_S)
    page.until(lambda: page.place("frozen")[0] == 201, "the same order again has one effect")
    assert page.open_orders().count("frozen") == 1
    assert page.ask("/api/native/requests/frozen")[1]["outcome"]["state"] == "ACCEPTED"
