"""`openbell match` as its users run it: lines in, lines out, and nothing else ever."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BUY = {"type": "PlaceOrder", "account": "alice", "side": "buy", "price": "101.25", "quantity": "10"}
SELL = {"type": "PlaceOrder", "account": "bob", "side": "sell", "price": "101.20", "quantity": "4"}


def match(*arguments: str, given: bytes = b"") -> tuple[int, list[Any], list[Any]]:
    """Run the command; return its exit code and the JSON lines of stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "openbell", "match", *arguments],
        input=given,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr
    errors = [json.loads(line) if line.startswith(b"{") else line.decode() for line in done.stderr.splitlines()]
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], errors


def lines(*commands: Any) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in commands)


def test_two_orders_trade() -> None:
    code, events, errors = match(given=lines(BUY, SELL))
    assert (code, errors) == (0, [])
    assert [event["type"] for event in events] == [
        "OrderAccepted",
        "BookDelta",
        "OrderAccepted",
        "Trade",
        "OrderFilled",
        "OrderFilled",
        "BookDelta",
    ]
    assert events[3] == {
        "type": "Trade",
        "symbol": "AAPLUSD",
        "seq": 1,
        "time_ms": 0,
        "price": "101.25",
        "quantity": "4",
        "taker_side": "sell",
        "maker_order": 1,
        "taker_order": 2,
    }


def test_bad_lines_are_told_with_their_numbers_and_the_good_ones_around_them_are_matched() -> None:
    bad: list[Any] = [
        b"nope",
        b'{"type":"PlaceOrder"',
        b"\xff\xfe",
        b"[]",
        b"[" * 5_000,
        b"1e999",
        b"NaN",
        b"null",
        {"type": "Nothing"},
        {**BUY, "colour": "red"},
        {**BUY, "price": 101.25},
        {**BUY, "price": "NaN"},
        {**BUY, "price": "-1"},
        {**BUY, "price": "0"},
        {**BUY, "price": "101.255"},
        {**BUY, "price": str(2**63)},
        {**BUY, "quantity": "0"},
        {**BUY, "quantity": "0.5"},
        {**BUY, "quantity": "1e3"},
        {**BUY, "side": "hold"},
        {**BUY, "order_id": 0},
        {**BUY, "order_id": 1},
        {**BUY, "time_in_force": "GTD"},
        {**BUY, "expires_ms": 5},
        {**BUY, "kind": "market", "time_in_force": "GTC"},
        {"type": "PlaceOrder", "account": "a", "side": "buy", "quantity": "1"},
        {"type": "CancelOrder"},
        b'{"type":"PlaceOrder","account":"' + b"x" * 1_048_576 + b'"}',
    ]
    code, events, errors = match(given=lines(BUY, *bad, b"", SELL))
    assert code == 1
    assert [error["line"] for error in errors] == list(range(2, len(bad) + 2))
    assert all(error["type"] == "Error" and error["reason"] for error in errors)
    assert [event["type"] for event in events].count("Trade") == 1
    assert [event["type"] for event in events].count("OrderAccepted") == 2


def test_what_an_array_did_before_its_bad_command_is_shown() -> None:
    code, events, errors = match(given=lines([BUY, {**SELL, "price": "0.001"}, SELL]))
    assert code == 1
    assert [event["type"] for event in events] == ["OrderAccepted", "BookDelta"]
    assert [error["line"] for error in errors] == [1]


def test_market_orders_cancels_and_expiry_by_the_commands_own_time() -> None:
    market = {"type": "PlaceOrder", "account": "bob", "side": "sell", "kind": "market", "quantity": "4"}
    dated = {**SELL, "price": "200", "time_in_force": "GTD", "expires_ms": 1_000}
    code, events, _ = match(
        given=lines(
            BUY,
            market,
            {"type": "CancelOrder", "order_id": 1, "account": "mallory"},
            {"type": "CancelOrder", "order_id": 1},
            {"type": "CancelOrder", "order_id": 99},
            dated,
            {"type": "AdvanceClock", "time_ms": 1_000},
        )
    )
    assert code == 0
    told = [(event["type"], event.get("reason")) for event in events if event["type"] not in ("BookDelta", "Trade")]
    assert told == [
        ("OrderAccepted", None),
        ("OrderAccepted", None),
        ("OrderFilled", None),
        ("OrderFilled", None),
        ("RequestRejected", "TOO_LATE"),
        ("OrderCancelled", "REQUESTED"),
        ("RequestRejected", "TOO_LATE"),
        ("OrderAccepted", None),
        ("OrderExpired", None),
    ]


def test_the_last_line_needs_no_end_and_a_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(lines(BUY, SELL).rstrip(b"\n"))
    code, events, _ = match(str(file))
    assert (code, len(events)) == (0, 7)


def test_an_instrument_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "btc.json"
    file.write_text(
        '{"symbol":"BTCEUR","base":"BTC","quote":"EUR","tick":"0.5","lot":"0.001","base_scale":3,"quote_scale":4}'
    )
    order = {**BUY, "price": "50000.5", "quantity": "0.015"}
    for given in (str(file), file.read_text()):
        code, events, _ = match("--instrument", given, given=lines(order))
        assert code == 0
        assert (events[0]["symbol"], events[0]["price"], events[0]["quantity"]) == ("BTCEUR", "50000.5", "0.015")


def test_raw_takes_packets_and_tells_what_a_book_drops() -> None:
    listing = {
        "type": "ListInstrument",
        "key": "X",
        "instrument": {"symbol": "X", "base": "A", "quote": "B"},
    }
    order = {
        "type": "EnterOrder",
        "source": "@me",
        "seq": 1,
        "time_ms": 5,
        "account": "@market",
        "order_id": -1,
        "symbol": "X",
        "side": "buy",
        "price": 100,
        "quantity": 3,
    }
    given = lines([listing, order], order, {**order, "seq": 3}, {**order, "seq": 2, "order_id": -2, "side": "sell"})
    code, events, errors = match("--raw", given=given)
    assert code == 1
    assert [error["line"] for error in errors] == [2, 3]
    assert events == [
        {"type": "BookDelta", "symbol": "X", "seq": 1, "time_ms": 5, "side": "buy", "price": 100, "quantity": 3},
        {
            "type": "Trade",
            "symbol": "X",
            "seq": 1,
            "time_ms": 5,
            "price": 100,
            "quantity": 3,
            "taker_side": "sell",
            "maker_order": -1,
            "taker_order": -2,
        },
        {"type": "BookDelta", "symbol": "X", "seq": 2, "time_ms": 5, "side": "buy", "price": 100, "quantity": 0},
    ]


def test_a_line_is_answered_at_once_and_a_closed_pipe_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "openbell", "match"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stderr
        os.write(running.stdin.fileno(), lines(BUY))
        assert json.loads(running.stdout.readline())["type"] == "OrderAccepted"
        running.stdout.close()
        os.write(running.stdin.fileno(), lines(BUY))
        assert running.wait(timeout=30) == 0
        assert running.stderr.read() == b""


def test_generated_flow_is_matched_to_the_last_line() -> None:
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "openbell",
            "generate",
            "--stdout",
            "--accounts",
            "0",
            "--orders",
            "2000",
            "--seed",
            "3",
        ],
        capture_output=True,
        check=True,
        timeout=60,
    )
    code, events, errors = match("--raw", given=made.stdout)
    assert (code, errors) == (0, [])
    assert {event["type"] for event in events} == {"BookDelta", "BookChecksum", "Trade"}


def test_conditions_amending_replacing_pairs_and_phases_in_decimal_strings() -> None:
    iceberg = {**SELL, "price": "101.25", "quantity": "100", "conditions": {"display": "10"}}
    code, events, errors = match(
        given=lines(
            iceberg,
            {"type": "PlaceOrder", "account": "carl", "side": "buy", "quantity": "5", "kind": "stop", "conditions": {"stop": "101.25"}},
            {**BUY, "quantity": "12"},
            {"type": "AmendOrder", "order_id": 1, "quantity": "90"},
            {"type": "ReplaceOrder", "replaced": 1, "side": "sell", "price": "101.30", "quantity": "5"},
            {"type": "PlaceOrder", "account": "p", "side": "buy", "quantity": "5", "kind": "pegged",
             "conditions": {"peg": "ask", "offset": "-0.02"}},
            {"type": "PlaceOco", "account": "bob", "side": "sell", "quantity": "3", "first": {"price": "102.00"},
             "second": {"kind": "stop", "conditions": {"stop": "99.00"}}},
            {"type": "SetPhase", "phase": "closing-auction", "time_ms": 5},
            {**BUY, "price": "103", "quantity": "12"},
            {"type": "CancelSymbol"},
        )
    )  # fmt: skip
    assert (code, errors) == (0, [])
    shown = [
        [event["type"], *(event[name] for name in ("order_id", "price", "quantity", "leaves", "volume", "phase") if name in event)]
        for event in events
        if event["type"] not in ("Trade", "OrderFilled")
    ]  # fmt: skip
    assert shown == [
        ["OrderAccepted", 1, "101.25", "100"],
        ["BookDelta", "101.25", "10"],
        ["OrderAccepted", 2, "10995116277.76", "5"],
        ["OrderAccepted", 3, "101.25", "12"],
        ["BookDelta", "101.25", "8"],
        ["OrderTriggered", 2, "101.25"],
        ["BookDelta", "101.25", "3"],
        ["OrderAmended", 1, "101.25", "90", "73"],
        ["BookDelta", "101.25", "0"],
        ["OrderCancelled", 1, "73"],
        ["OrderAccepted", 4, "101.30", "5"],
        ["BookDelta", "101.30", "5"],
        ["OrderAccepted", 5, "10995116277.76", "5"],
        ["BookDelta", "101.28", "5"],
        ["OrderAccepted", 6, "102.00", "3"],
        ["OrderAccepted", 7, "0.01", "3"],
        ["BookDelta", "102.00", "3"],
        ["PhaseChanged", "closing-auction"],
        ["BookDelta", "101.28", "0"],
        ["OrderAccepted", 8, "103.00", "12"],
        ["BookDelta", "103.00", "12"],
        ["AuctionIndicated", "102.50", "8"],
        ["BookDelta", "101.30", "0"],
        ["OrderCancelled", 4, "5"],
        ["OrderCancelled", 5, "5"],
        ["OrderCancelled", 7, "3"],
        ["BookDelta", "102.00", "0"],
        ["OrderCancelled", 6, "3"],
        ["BookDelta", "103.00", "0"],
        ["OrderCancelled", 8, "12"],
        ["AuctionIndicated", "0.00", "0"],
    ]
    assert events[0]["conditions"] == {"display": "10"}
    assert next(event["conditions"] for event in events if event.get("order_id") == 5) == {
        "peg": "ask",
        "offset": "-0.02",
    }


def test_what_does_not_go_together_is_told_as_a_line() -> None:
    stop = {**BUY, "kind": "stop"}
    bad: list[Any] = [
        stop,
        {**BUY, "conditions": {"stop": "1"}},
        {**BUY, "conditions": {"display": "11"}},
        {**BUY, "conditions": {"display": "0"}},
        {**BUY, "conditions": {"offset": "--1"}},
        {**BUY, "conditions": {"colour": "red"}},
        {**BUY, "kind": "stop-limit", "price": None, "conditions": {"stop": "1"}},
        {"type": "AmendOrder", "order_id": 1, "price": "0.001"},
        {"type": "PlaceOco", "account": "a", "side": "buy", "quantity": "1", "first": {"price": "1"},
         "second": {"price": "2", "time_in_force": "IOC"}},
        {"type": "PlaceOco", "account": "a", "side": "buy", "quantity": "1", "first": {"price": "1", "order_id": 9},
         "second": {"price": "2", "order_id": 9}},
        {"type": "SetPhase", "phase": "lunch"},
    ]  # fmt: skip
    code, events, errors = match(given=lines(*bad))
    assert code == 1
    assert events == []
    assert [error["line"] for error in errors] == list(range(1, len(bad) + 1))


def test_a_rule_for_the_own_format() -> None:
    orders = [
        {**SELL, "price": "100", "quantity": "30"},
        {**SELL, "price": "100"},
        {**BUY, "price": "100", "quantity": "17"},
    ]
    shares = {}
    for rule in ("price-time", "pro-rata", "exact", "equal-quantity"):
        code, events, errors = match("--rule", rule, given=lines(*orders, {**BUY, "price": "100", "quantity": "4"}))
        assert (code, errors) == (0, [])
        shares[rule] = [(event["maker_order"], event["quantity"]) for event in events if event["type"] == "Trade"]
    assert shares == {
        "price-time": [(1, "17"), (1, "4")],
        "pro-rata": [(1, "15"), (2, "2"), (1, "4")],
        "exact": [(2, "4")],
        "equal-quantity": [(2, "4")],
    }


ORDERS_A = b"""\
{"id": 1, "instrument": "RIL", "trxn_type": "BUY", "quantity": 100.0, "price": 2450.5, "order_timestamp": "2020/05/31, 09:15:00"}
{"id": 2, "instrument": "TCS", "trxn_type": "SELL", "quantity": 100.0, "price": 2450.5, "order_timestamp": "2020/05/31, 09:15:01"}
{"id": 3, "instrument": "RIL", "trxn_type": "SELL", "quantity": 60.0, "price": 2450.5, "order_timestamp": "2020/05/31, 09:15:02"}

{"id": 1, "instrument": "RIL", "trxn_type": "BUY", "quantity": 60.0, "price": 2450.5, "order_timestamp": "2020/05/31, 09:15:03"}
{"id": 4, "instrument": "RIL", "trxn_type": "SELL", "quantity": 100.0, "price": 2450.5, "order_timestamp": "2020/05/31, 09:15:04"}
"""


def test_the_first_older_design_by_its_rule() -> None:
    code, trades, errors = match("--rule", "exact", "--format", "seed-a", given=ORDERS_A)
    assert code == 1
    assert errors == [
        {"type": "Error", "line": 5, "reason": "order 1: DUPLICATE, an order of this id is still open"}
    ]  # fmt: skip
    assert trades == [
        [
            {
                "id": 1,
                "id_sell": 4,
                "instrument": "RIL",
                "quantity": 100.0,
                "price": 2450.5,
                "update_timestamp": "2020/05/31, 09:15:04",
            }
        ]
    ]


def test_the_first_older_design_by_price_and_time() -> None:
    _, trades, _ = match("--rule", "price-time", "--format", "seed-a", given=ORDERS_A)
    assert [(trade["id"], trade["id_sell"], trade["quantity"]) for (trade,) in trades] == [(1, 3, 60.0), (1, 4, 40.0)]


def test_the_second_older_design(tmp_path: Path) -> None:
    common = {"stock_symbol": "AAPL", "quantity": 10, "order_type": "limit", "time_in_force": "gtc"}
    buy = {"order_id": "b", "side": "buy", "price": 150.25, **common}
    sell = {"order_id": "s", "side": "sell", "price": 150, **common}
    file = tmp_path / "orders.jsonl"
    file.write_bytes(lines(buy, sell))
    code, streams, errors = match("--format", "seed-b", str(file))
    assert (code, errors) == (0, [])
    trade = {"buy_order_id": "b", "sell_order_id": "s", "buy_stock_symbol": "AAPL", "buy_price": 150.25, "sell_price": 150,
             "quantity": 10}  # fmt: skip
    assert streams == [
        {"stream": "BUY_ORDERS", **buy},
        {"stream": "SELL_ORDERS", **sell},
        {"stream": "MATCHED_TRADES", **trade},
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rule", "fifo"),
        ("--format", "seed-c"),
        ("--raw", "--rule", "exact"),
        ("--raw", "--format", "seed-a"),
        ("--format", "seed-a", "--instrument", "{}"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert match(*arguments)[0] == 2
