"""Request ids and their memory."""

from __future__ import annotations

import pytest

from exchange.messages import CancelOrder, Deposit, PlaceOrder
from exchange.requests import AHEAD_MS, DAY_MS, KEPT_MS, Requests, digest

NOW = 10 * DAY_MS


def deposit(request_id: str = "1", created_ms: int = NOW, amount: int = 5, account: str = "alice") -> Deposit:
    return Deposit(account=account, request_id=request_id, created_ms=created_ms, asset="USD", amount=amount)


def stored(requests: Requests) -> dict[str, str]:
    changes: dict[str, str | None] = {}
    requests.pages.changes(changes)
    return {name: text for name, text in changes.items() if text is not None}


@pytest.mark.parametrize(
    ("age_ms", "reason"),
    [(0, None), (DAY_MS, None), (DAY_MS + 1, "STALE"), (-AHEAD_MS, None), (-AHEAD_MS - 1, "CLOCK_AHEAD")],
)
def test_a_command_is_timely_for_a_day(age_ms: int, reason: str | None) -> None:
    assert Requests({}).untimely(deposit(created_ms=NOW - age_ms), NOW) == reason


def test_at_the_full_bound_new_ids_are_refused_and_none_is_pushed_out() -> None:
    requests = Requests({}, requests_max=2)
    for number in ("1", "2"):
        assert requests.untimely(deposit(number), NOW) is None
        requests.remember(deposit(number), NOW)
    assert requests.untimely(deposit("3"), NOW) == "REQUESTS_FULL"
    assert requests.find("alice", "1") is not None


def test_an_id_is_kept_as_long_as_a_retry_is_not_stale() -> None:
    for created_ms in (NOW - DAY_MS, NOW, NOW + AHEAD_MS):
        requests = Requests({})
        command = deposit(created_ms=created_ms)
        requests.remember(command, NOW)
        last_timely_ms = created_ms + DAY_MS
        requests.forget(last_timely_ms)
        assert requests.untimely(command, last_timely_ms) is None
        assert requests.find("alice", "1") is not None


def test_an_id_is_forgotten_when_its_time_is_over() -> None:
    requests = Requests({})
    requests.remember(deposit("1"), NOW)
    requests.remember(deposit("2"), NOW + 1)
    requests.forget(NOW + KEPT_MS + 1)
    assert requests.find("alice", "1") is None
    assert requests.find("alice", "2") is not None
    assert len(Requests(stored(requests)).by_id) == 1


def test_ids_belong_to_their_account() -> None:
    requests = Requests({})
    requests.remember(deposit(), NOW)
    assert requests.find("bob", "1") is None


def test_memory_survives_its_durable_form() -> None:
    requests = Requests({})
    for number in range(40):
        request = requests.remember(deposit(str(number)), NOW + number)
        request.order_id, request.reason = number, "HALTED" if number % 2 else None
    again = Requests(stored(requests))
    assert {name: request.row() for name, request in again.by_id.items()} == {
        name: request.row() for name, request in requests.by_id.items()
    }
    assert again.count == 40


def test_a_digest_is_of_what_is_asked_and_not_of_when() -> None:
    first = deposit()
    assert digest(first) == digest(deposit(created_ms=NOW + 5))
    assert digest(first) != digest(deposit(amount=6))
    assert digest(first) != digest(deposit(account="bob"))
    cancel = CancelOrder(account="alice", request_id="1", created_ms=0)
    assert digest(cancel) != digest(first)


def test_a_digest_sees_every_field_of_an_order() -> None:
    base = {"symbol": "X", "side": "buy", "price": 1, "quantity": 2}
    changes = [
        {},
        {"symbol": "Y"},
        {"side": "sell"},
        {"price": 2},
        {"quantity": 3},
        {"kind": "market"},
        {"time_in_force": "IOC"},
    ]
    orders = [PlaceOrder(account="a", request_id="1", created_ms=0, **(base | change)) for change in changes]
    assert len({digest(order) for order in orders}) == len(orders)
