"""`openbell match` as its users run it: lines in, lines out, and nothing else ever."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    assert {event["type"] for event in events} == {"BookDelta", "Trade"}
