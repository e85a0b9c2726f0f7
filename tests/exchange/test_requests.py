"""Request ids and their memory."""

from __future__ import annotations

import pytest

from exchange.messages import CancelOrder, Conditions, Deposit, Leg, PlaceBracket, PlaceOco, PlaceOrder
from exchange.requests import AHEAD_MS, DAY_MS, KEPT_MS, Requests, digest, leg_ids

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
        {"conditions": Conditions()},
        {"conditions": Conditions(display=1)},
    ]
    orders = [PlaceOrder(account="a", request_id="1", created_ms=0, **(base | change)) for change in changes]
    assert len({digest(order) for order in orders}) == len(orders)


def test_a_digest_is_what_it_was_when_orders_had_no_conditions() -> None:
    """The digests that version 0.2.0 stored (tests/exchange/states): a retry must still be known after an upgrade."""
    order = {"account": "alice", "created_ms": 0, "symbol": "AAPLUSD", "price": 100, "quantity": 5}
    assert digest(PlaceOrder(request_id="p", side="buy", **order)) == "edccfd0b320c7006"
    assert digest(PlaceOrder(request_id="q", side="sell", **order)) == "9b81804e4367b76c"


# Groups


def oco(*names: str) -> PlaceOco:
    first, second = (Leg(request_id=name, price=5) for name in names)
    group = {"account": "alice", "request_id": "g", "created_ms": NOW, "symbol": "X", "side": "buy", "quantity": 1}
    return PlaceOco(first=first, second=second, **group)


def test_a_group_takes_the_ids_of_its_orders() -> None:
    assert leg_ids(oco("a", "b")) == ("a", "b")
    fields = {"account": "alice", "request_id": "g", "created_ms": NOW, "symbol": "X", "side": "buy", "quantity": 1}
    legs = {name: Leg(request_id=name, price=5) for name in ("entry", "take_profit", "stop_loss")}
    assert leg_ids(PlaceBracket(**fields, **legs)) == ("entry", "take_profit", "stop_loss")
    assert leg_ids(deposit()) == ()


@pytest.mark.parametrize(("room", "reason"), [(3, None), (2, "REQUESTS_FULL")])
def test_a_group_needs_room_for_all_its_ids(room: int, reason: str | None) -> None:
    assert Requests({}, requests_max=room).untimely(oco("a", "b"), NOW) == reason


def test_the_ids_of_a_group_are_remembered_and_forgotten_with_it() -> None:
    requests = Requests({})
    requests.remember_legs(requests.remember(oco("a", "b"), NOW), ("a", "b"), (7, 8))
    again = Requests(stored(requests))
    for memory in (requests, again):
        found = [memory.find("alice", name) for name in ("g", "a", "b")]
        assert [one.order_id if one else None for one in found] == [0, 7, 8]
        memory.forget(NOW + KEPT_MS + 1)
        assert (memory.by_id, list(memory.ages)) == ({}, [])


def test_an_outcome_that_is_known_later_is_stored() -> None:
    requests = Requests({})
    requests.remember(deposit("1"), NOW)
    entries = stored(requests)
    requests.end("alice", "1", 9, "TOO_LATE")
    requests.end("alice", "forgotten", 9, None)
    found = Requests(entries | stored(requests)).find("alice", "1")
    assert found is not None
    assert (found.order_id, found.reason) == (9, "TOO_LATE")
