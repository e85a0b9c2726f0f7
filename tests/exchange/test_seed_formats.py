"""The older designs' records: what is read and written exactly, what is refused, and the trades by each rule."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from exchange.errors import ExchangeError, InvalidPacket
from exchange.instruments import Rule
from exchange.seed_formats import SEED_A, SEED_B, SeedFormat, SeedOrder, encode_seed
from exchange.seed_protocol import SeedBooks

ORDER_A = (
    b'{"id": 7, "instrument": "RIL", "trxn_type": "BUY", "quantity": 100.0, "price": 2450.50, '
    b'"order_timestamp": "2020/05/31, 09:15:00"}'
)
ORDER_B = (
    b'{"order_id": "u-1", "stock_symbol": "AAPL", "quantity": 10, "side": "SELL", "order_type": "Limit", "price": 150.25, '
    b'"time_in_force": "gtc"}'
)
NINE_MS = 1_590_916_500_000
"""2020-05-31 09:15:00 UTC."""


def a(number: Any, side: str, quantity: float, price: float, **more: Any) -> dict[str, Any]:
    return {"id": number, "instrument": "RIL", "trxn_type": side, "quantity": quantity, "price": price,
            "order_timestamp": "2020/05/31, 09:15:00", **more}  # fmt: skip


def b(number: Any, side: str, quantity: float, price: float, **more: Any) -> dict[str, Any]:
    return {"order_id": number, "stock_symbol": "AAPL", "quantity": quantity, "side": side, "order_type": "limit",
            "price": price, "time_in_force": "gtc", **more}  # fmt: skip


def told(seed: SeedFormat, *orders: dict[str, Any], rule: Rule | None = None) -> tuple[list[Any], list[str]]:
    """Return what books answer, and what they refuse."""
    books, answers, refused = SeedBooks(seed, rule), [], []
    for order in orders:
        try:
            answers += [json.loads(line) for line in books.apply(json.dumps(order).encode())]
        except InvalidPacket as error:
            refused.append(str(error))
    return answers, refused


def pairs(answers: list[Any]) -> list[tuple[Any, Any, float, float]]:
    """Buy, sell, quantity and price of seed A's trades."""
    return [(one["id"], one["id_sell"], one["quantity"], one["price"]) for (one,) in answers]


def test_an_order_of_seed_a_is_read_digit_by_digit() -> None:
    assert SEED_A.decode(ORDER_A, None) == SeedOrder(
        id=7, instrument="RIL", side="buy", quantity=Decimal("100.0"), price=Decimal("2450.50"), time_ms=NINE_MS,
        timestamp="2020/05/31, 09:15:00",
    )  # fmt: skip


def test_an_order_of_seed_b_has_the_time_of_its_record() -> None:
    assert SEED_B.decode(ORDER_B, 5) == SeedOrder(
        id="u-1", instrument="AAPL", side="sell", quantity=Decimal(10), price=Decimal("150.25"), time_ms=5
    )


@pytest.mark.parametrize(
    ("time_in_force", "record_ms", "expected"),
    [
        ("GTC", 5, ("GTC", 5, 0)),
        ("day", 5, ("DAY", 5, 0)),
        ("ioc", 5, ("IOC", 5, 0)),
        (None, 5, ("GTC", 5, 0)),
        ("2020-05-31 09:15:00", NINE_MS, ("GTC", NINE_MS, 0)),
        ("2020-05-31 09:15:00.987654", NINE_MS + 1, ("GTC", NINE_MS + 1, 0)),
        ("2020-05-31T09:15:00", NINE_MS - 1, ("GTD", NINE_MS - 1, NINE_MS)),
        ("2020-05-31 09:15:00", None, ("GTC", NINE_MS, 0)),
        ("gtc", None, ("GTC", 0, 0)),
    ],
)
def test_a_time_after_the_orders_own_is_its_expiry_and_any_other_the_time_it_was_placed(
    time_in_force: str | None, record_ms: int | None, expected: tuple[str, int, int]
) -> None:
    order = SEED_B.decode(json.dumps(b(1, "buy", 10, 150, time_in_force=time_in_force)).encode(), record_ms)
    assert (order.time_in_force, order.time_ms, order.expires_ms) == expected


def test_a_market_order_takes_its_price_for_protection_and_needs_none() -> None:
    given = [b(1, "buy", 10, 150, order_type="MARKET"), b(2, "buy", 10, 0, order_type="market")]
    read = [SEED_B.decode(json.dumps(one).encode(), 5) for one in given]
    assert [(one.kind, one.time_in_force, one.price) for one in read] == [
        ("market", "IOC", Decimal(150)),
        ("market", "IOC", Decimal(0)),
    ]


BAD_A: list[tuple[str, bytes]] = [
    ("malformed", b"nope"),
    ("Expected `object`", b"["),
    ("Expected `object`", b"[]"),
    ("missing required field", b"{}"),
    ("Expected", ORDER_A.replace(b"100.0", b"true")),
    ("$.id", ORDER_A.replace(b"7", b"null", 1)),
    ("$.id", ORDER_A.replace(b"7", b"7.5", 1)),
    ("$.id", ORDER_A.replace(b"7", b'""', 1)),
    ("", ORDER_A.replace(b"7", str(2**63).encode(), 1)),
    ("$.instrument", ORDER_A.replace(b'"RIL"', b'""')),
    ("trxn_type", ORDER_A.replace(b"BUY", b"HOLD")),
    ("malformed", ORDER_A.replace(b"100.0", b"NaN")),
    ("quantity", ORDER_A.replace(b"100.0", b'"NaN"')),
    ("quantity", ORDER_A.replace(b"100.0", b'"-Infinity"')),
    ("quantity", ORDER_A.replace(b"100.0", b"0.0")),
    ("quantity", ORDER_A.replace(b"100.0", b"-1")),
    ("quantity", ORDER_A.replace(b"100.0", b"1e999999999")),
    ("price", ORDER_A.replace(b"2450.50", b"1e-999999999")),
    ("price", ORDER_A.replace(b"2450.50", b"-0.0")),
    ("price", ORDER_A.replace(b"2450.50", b"1" * 500)),
    ("order_timestamp", ORDER_A.replace(b"2020/05/31", b"2020-05-31")),
    ("order_timestamp", ORDER_A.replace(b"2020/05/31", b"2020/02/30")),
    ("order_timestamp", ORDER_A.replace(b"2020/05/31", b"2020/13/01")),
    ("order_timestamp", ORDER_A.replace(b"2020/05/31", b"1969/12/31")),
    ("order_timestamp", ORDER_A.replace(b"2020/05/31", b"0000/01/01")),
    ("order_timestamp", ORDER_A.replace(b"09:15:00", b"24:00:00")),
    ("", ORDER_A.replace(b"RIL", b"\xff\xfe")),
    ("", b"[" * 100_000),
]


@pytest.mark.parametrize(("field", "raw"), BAD_A, ids=range(len(BAD_A)))
def test_what_is_no_order_of_seed_a_is_refused_with_the_field(field: str, raw: bytes) -> None:
    with pytest.raises(InvalidPacket) as error:
        SEED_A.decode(raw, None)
    assert field in str(error.value)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("side", {"side": "hold"}),
        ("order_type", {"order_type": "stop"}),
        ("price", {"price": None}),
        ("price", {"price": 0}),
        ("quantity", {"quantity": 0}),
        ("time_in_force", {"time_in_force": "gtd"}),
        ("time_in_force", {"time_in_force": "2020-05-32 00:00:00"}),
        ("order_id", {"order_id": None}),
    ],
)
def test_what_is_no_order_of_seed_b_is_refused_with_the_field(field: str, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidPacket) as error:
        SEED_B.decode(json.dumps(b(1, "buy", 10, 150) | changed).encode(), 5)
    assert field in str(error.value)


def test_a_field_more_is_no_harm() -> None:
    order = json.dumps(a(1, "buy", 10, 100, broker="x")).encode()
    assert SEED_A.decode(order, None).id == 1


def test_exact_matches_equal_price_and_quantity_first_with_first_and_both_leave() -> None:
    answers, refused = told(
        SEED_A,
        a(1, "BUY", 10.0, 100.0),
        a(2, "BUY", 10.0, 100.0),
        a(3, "SELL", 5.0, 100.0),
        a(4, "SELL", 10.0, 99.0),
        a(5, "SELL", 10.0, 100.0),
        a(6, "SELL", 10.0, 100.0),
        a(7, "SELL", 10.0, 100.0),
    )
    assert refused == []
    assert pairs(answers) == [(1, 5, 10.0, 100.0), (2, 6, 10.0, 100.0)]


def test_a_trade_of_seed_a_is_an_array_of_one_with_the_buys_id_and_the_later_time() -> None:
    books = SeedBooks(SEED_A)
    later = ORDER_A.replace(b"7", b'"s"', 1).replace(b"BUY", b"SELL").replace(b"09:15:00", b"09:16:00")
    assert list(books.apply(later)) == []
    (line,) = books.apply(ORDER_A)
    assert line == (
        b'[{"id":7,"id_sell":"s","instrument":"RIL","quantity":100.0,"price":2450.50,'
        b'"update_timestamp":"2020/05/31, 09:16:00"}]\n'
    )


def test_by_price_and_time_quantities_are_partial_and_keep_their_point() -> None:
    answers, _ = told(
        SEED_A, a(1, "SELL", 4.0, 99.5), a(2, "SELL", 2.5, 99.0), a(3, "BUY", 10.0, 100.0), rule="price-time"
    )
    assert pairs(answers) == [(3, 2, 2.5, 99.0), (3, 1, 4.0, 99.5)]
    lines = SeedBooks(SEED_A, "price-time")
    for order in (a(1, "SELL", 30.0, 100.0), a(2, "BUY", 20.0, 100.0), a(3, "BUY", 30.0, 101.0)):
        last = list(lines.apply(json.dumps(order).encode()))
    assert b'"quantity":10.0,' in last[0]


def test_pro_rata_shares_by_size() -> None:
    answers, _ = told(
        SEED_A, a(1, "SELL", 30.0, 100.0), a(2, "SELL", 10.0, 100.0), a(3, "BUY", 20.0, 100.0), rule="pro-rata"
    )
    assert pairs(answers) == [(3, 1, 15.0, 100.0), (3, 2, 5.0, 100.0)]


def test_equal_quantity_matches_within_eight_hours_at_the_makers_price_and_passes_each_order_on() -> None:
    times = {"time_in_force": "2020-05-31 00:00:00"}, {"time_in_force": "2020-05-31 08:00:00"}
    answers, refused = told(
        SEED_B,
        b("old", "buy", 10, 151, **times[0]),
        b("s1", "sell", 10, 150.5, **times[1]),
        b("s2", "sell", 10, 150.5, time_in_force="2020-05-31 08:00:01"),
        b("new", "buy", 10, 151.25),
        b("other", "buy", 20, 200),
    )
    assert refused == []
    assert [one.pop("stream") for one in answers] == [
        "BUY_ORDERS", "SELL_ORDERS", "MATCHED_TRADES", "SELL_ORDERS", "BUY_ORDERS", "MATCHED_TRADES", "BUY_ORDERS",
    ]  # fmt: skip
    assert answers[0] == b("old", "buy", 10, 151, **times[0])
    assert answers[2] == {
        "buy_order_id": "old", "sell_order_id": "s1", "buy_stock_symbol": "AAPL", "buy_price": 151, "sell_price": 150.5,
        "quantity": 10,
    }  # fmt: skip
    assert answers[5]["buy_order_id"] == "new"
    assert answers[5]["sell_order_id"] == "s2"


def test_after_eight_hours_an_order_is_not_matched() -> None:
    answers, _ = told(
        SEED_B,
        b("old", "buy", 10, 151, time_in_force="2020-05-31 00:00:00"),
        b("s", "sell", 10, 150, time_in_force="2020-05-31 08:00:01"),
    )
    assert [one["stream"] for one in answers] == ["BUY_ORDERS", "SELL_ORDERS"]


def test_a_second_order_of_an_id_is_refused_while_the_first_is_open_and_taken_after() -> None:
    answers, refused = told(
        SEED_A,
        a(1, "BUY", 10.0, 100.0),
        a(1, "BUY", 20.0, 100.0, order_timestamp="2020/05/31, 10:00:00"),
        a("1", "SELL", 10.0, 100.0),
        a(1, "SELL", 5.0, 90.0, order_timestamp="2020/05/31, 11:00:00"),
        a(2, "BUY", 5.0, 90.0),
    )
    assert refused == ["order 1: DUPLICATE, an order of this id is still open"]
    assert pairs(answers) == [(1, "1", 10.0, 100.0), (2, 1, 5.0, 90.0)]
    assert [one["update_timestamp"] for (one,) in answers] == ["2020/05/31, 09:15:00", "2020/05/31, 11:00:00"]


def test_an_id_may_be_used_in_every_instrument() -> None:
    answers, refused = told(
        SEED_A, a(1, "BUY", 10.0, 100.0), a(1, "BUY", 10.0, 100.0, instrument="TCS"), a(2, "SELL", 10.0, 100.0, instrument="TCS")
    )  # fmt: skip
    assert refused == []
    assert [one["instrument"] for (one,) in answers] == ["TCS"]


def test_the_seeds_rules_take_plain_limit_orders_only() -> None:
    _, refused = told(SEED_B, b(1, "buy", 10, 150, order_type="market"), b(2, "buy", 10, 150, time_in_force="ioc"))
    assert refused == [
        f"order {number}: RULE_UNSUPPORTED, the matching rule takes plain limit orders only" for number in (1, 2)
    ]


def test_what_is_no_multiple_of_the_finest_step_is_refused_with_the_order() -> None:
    _, refused = told(SEED_A, a("x", "BUY", 0.00001, 100.0), a("y", "BUY", 1.0, 100.00005), a("z", "BUY", 1e15, 100.0))
    assert refused[:2] == [
        "order x: 0.00001 is not a multiple of 0.0001",
        "order y: 100.00005 is not a multiple of 0.0001",
    ]
    assert len(refused) == 3


def test_decimals_are_written_as_numbers() -> None:
    assert encode_seed({"price": Decimal("0.1"), "quantity": Decimal("100.0")}) == b'{"price":0.1,"quantity":100.0}'


@pytest.mark.parametrize("number", range(5))
def test_a_random_flow_is_matched_as_lists_and_loops_do_it(number: int) -> None:
    print(f"seed {number}")
    random = Random(number)
    sides = ("BUY", "SELL")
    flow = [
        a(n, random.choice(sides), random.choice([10.0, 20.0]), random.choice([99.5, 100.0, 100.5])) for n in range(400)
    ]
    expected, waiting = [], []
    for order in flow:
        found = next(
            (one for one in waiting if one["trxn_type"] != order["trxn_type"]
             and (one["quantity"], one["price"]) == (order["quantity"], order["price"])),
            None,
        )  # fmt: skip
        if found is None:
            waiting.append(order)
            continue
        waiting.remove(found)
        buy, sell = (order, found) if order["trxn_type"] == "BUY" else (found, order)
        expected.append((buy["id"], sell["id"], order["quantity"], order["price"]))
    answers, refused = told(SEED_A, *flow)
    assert refused == []
    assert len(expected) > 100
    assert pairs(answers) == expected


@pytest.mark.parametrize("number", range(5))
def test_a_random_flow_of_equal_quantities_is_matched_as_lists_and_loops_do_it(number: int) -> None:
    print(f"seed {number}")
    random = Random(number)
    flow = [
        b(f"o{n}", random.choice(("buy", "sell")), random.choice([1, 2, 3]), random.choice([150, 150.25, 151])) for n in range(400)
    ]  # fmt: skip
    expected, waiting = [], []
    for order in flow:
        buys = order["side"] == "buy"
        found = next(
            (one for one in waiting if one["side"] != order["side"] and one["quantity"] == order["quantity"]
             and (one["price"] <= order["price"] if buys else one["price"] >= order["price"])),
            None,
        )  # fmt: skip
        if found is None:
            waiting.append(order)
            continue
        waiting.remove(found)
        buy, sell = (order, found) if buys else (found, order)
        expected.append((buy["order_id"], sell["order_id"], buy["price"], sell["price"], order["quantity"]))
    answers, refused = told(SEED_B, *flow)
    assert refused == []
    trades = [one for one in answers if one["stream"] == "MATCHED_TRADES"]
    assert [
        (one["buy_order_id"], one["sell_order_id"], one["buy_price"], one["sell_price"], one["quantity"]) for one in trades
    ] == expected  # fmt: skip


@pytest.mark.parametrize("seed", [SEED_A, SEED_B], ids=["seed-a", "seed-b"])
def test_orders_with_bytes_changed_at_random_are_taken_or_refused_and_nothing_else(seed: SeedFormat) -> None:
    print("seed 11")
    random = Random(11)
    good = ORDER_A if seed is SEED_A else ORDER_B
    pieces = [
        b"0",
        b"9",
        b"-",
        b".",
        b"e",
        b'"',
        b"null",
        b"[",
        b"}",
        b",",
        b"\x00",
        b"\xff",
        b"9" * 40,
        b"1e40",
        b"\\u0000",
        b"true",
    ]
    refused = 0
    for _ in range(3_000):
        raw = bytearray(good)
        for _ in range(random.randrange(1, 4)):
            place = random.randrange(len(raw))
            raw[place : place + random.randrange(0, 5)] = random.choice(pieces)
        try:
            for line in SeedBooks(seed).apply(bytes(raw)):
                json.loads(line)
        except ExchangeError:
            refused += 1
    assert 1_000 < refused < 3_000
