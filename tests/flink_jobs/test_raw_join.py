"""The raw join on Flink's mini cluster, its streams in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyflink.common import Row
from pyflink.common.typeinfo import Types
from pyflink.table import Schema

from flink_jobs.kafka_streams import environments
from flink_jobs.raw_join import REFUSED_RECORDS, TRADE_RECORDS, Topics, build, parse_topics

HOUR_MS = 3_600_000
START_MS = 1_717_146_000_000
"""2024-05-31 09:00:00 UTC."""


def order(number: Any, side: str, quantity: Any, price: Any, **more: Any) -> str:
    return json.dumps({
        "order_id": number, "stock_symbol": "AAPL", "quantity": quantity, "side": side, "order_type": "limit", "price": price,
        "time_in_force": "gtc", **more,
    })  # fmt: skip


def on_flink(*records: tuple[int, str | None]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the trades and the refusals of records, each a number of milliseconds after the start and its text."""
    env, tables = environments("test")
    env.set_parallelism(1)
    rows = [Row(text, START_MS + at_ms) for at_ms, text in records]
    stream = env.from_collection(rows, Types.ROW_NAMED(["v", "at_ms"], [Types.STRING(), Types.LONG()]))
    schema = (
        Schema.new_builder()
        .column_by_expression("row_time", "TO_TIMESTAMP_LTZ(at_ms, 3)")
        .watermark("row_time", "row_time - INTERVAL '5' SECOND")
        .build()
    )
    tables.create_temporary_view("incoming_records", stream, schema)
    build(tables)
    found: list[list[dict[str, Any]]] = [[], []]
    query = f"SELECT 0, v FROM ({TRADE_RECORDS}) UNION ALL SELECT 1, v FROM ({REFUSED_RECORDS})"
    with tables.execute_sql(query).collect() as collected:
        for place, text in collected:
            found[place].append(json.loads(text))
    return found[0], found[1]


def pairs(trades: list[dict[str, Any]]) -> set[tuple[Any, Any]]:
    assert len({(one["buy_order_id"], one["sell_order_id"]) for one in trades}) == len(trades), "each pair once"
    return {(one["buy_order_id"], one["sell_order_id"]) for one in trades}


@pytest.mark.flink
def test_orders_of_a_symbol_a_quantity_and_crossing_prices_are_paired_as_often_as_they_fit():
    trades, refused = on_flink(
        (0, order("b", "buy", 4, 151.5)),
        (1, order(77, "SELL", 4.0, 150)),
        (2, order("equal", "Sell", 4, 151.50)),
        (3, order("dear", "sell", 4, 151.51)),
        (4, order("more", "sell", 5, 150)),
        (5, order("other", "sell", 4, 150, stock_symbol="IBM")),
        (6, order('q"\\é', "buy", 5, 150, order_type="MARKET")),
        (7, order("unpriced", "buy", 4, None, order_type="market")),
    )
    assert refused == []
    assert pairs(trades) == {("b", 77), ("b", "equal"), ('q"\\é', "more")}, "b twice: a join uses nothing up"
    assert next(one for one in trades if one["sell_order_id"] == 77) == {
        "buy_order_id": "b", "sell_order_id": 77, "buy_stock_symbol": "AAPL", "buy_price": 151.5, "sell_price": 150,
        "quantity": 4,
    }  # fmt: skip


@pytest.mark.flink
def test_orders_are_paired_up_to_eight_hours_apart_whichever_came_first():
    trades, _ = on_flink(
        (0, order("b", "buy", 1, 10)),
        (0, order("s", "sell", 2, 10)),
        (8 * HOUR_MS, order("in time", "sell", 1, 10)),
        (8 * HOUR_MS, order("in time", "buy", 2, 10)),
        (8 * HOUR_MS + 1, order("too late", "sell", 1, 10)),
        (8 * HOUR_MS + 1, order("too late", "buy", 2, 10)),
    )
    assert pairs(trades) == {("b", "in time"), ("in time", "s")}


@pytest.mark.flink
def test_records_that_are_no_orders_are_told_with_the_reason_and_stop_nothing():
    bad = {
        "no json": "it is no JSON object",
        "[1]": "it is no JSON object",
        order(None, "buy", 1, 10): "order_id is no whole number and no text",
        order("x", "buy", 1, 10, stock_symbol=5): "stock_symbol is no text",
        order("x", "buy", "1", 10): "quantity is no number above 0",
        order("x", "buy", 0, 10): "quantity is no number above 0",
        order("x", "hold", 1, 10): "side is none of buy and sell",
        order("x", "buy", 1, 10, order_type="stop"): "order_type is none of limit and market",
        order("x", "buy", 1, -10): "price is no number above 0",
        order("x", "buy", 1, None): "price is no number above 0",
    }
    records = [(0, order("b", "buy", 1, 10)), *((1, text) for text in bad), (1, None), (2, order("s", "sell", 1, 10))]
    trades, refused = on_flink(*records)
    assert pairs(trades) == {("b", "s")}
    told = sorted((one["record"] or "", one["reason"]) for one in refused)
    assert told == sorted([*bad.items(), ("", "it is no JSON object")])


def test_the_topics_have_defaults_and_must_be_topic_names(capsys: pytest.CaptureFixture[str]):
    assert parse_topics(["--bootstrap-servers", "k:9092", "--trades", "MATCHED_TRADES"]) == Topics(
        "k:9092", "incoming_orders", "MATCHED_TRADES", "refused_orders"
    )
    with pytest.raises(SystemExit):
        parse_topics(["--bootstrap-servers", "k:9092", "--orders", "o' = 'x"])
    assert "--orders must be a topic's name" in capsys.readouterr().err
