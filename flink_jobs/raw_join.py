"""The raw join of seed B's design, for study: buy and sell orders in pairs, as a join of two streams in Flink SQL and nothing else.

It is not how Openbell matches. A join pairs each order with **every** order that fits, so that one order may trade many times; the rule
`equal-quantity` of the exchange uses both orders up (docs/MATCHING.md, rule 63). The job stands beside the exchange and uses nothing of it.

Theory of operation: records of `incoming_orders` are read as text, and their fields as JSON texts, so that ids, prices and quantities come out as
they came in (JSON_QUERY gives the text of a single value only within brackets). What is no order is written to a topic of its own
with the reason. The streams have the names that they have there. An order's time is its record's. The join is over an interval of
eight hours either way, so that Flink forgets an order eight hours after it: state is bounded by a day's orders, not by the topic. Readers
that have no partition to read are idle and hold up no time. After a failure trades may be written again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pyflink.table import StreamTableEnvironment

from flink_jobs.kafka_security import connection
from flink_jobs.kafka_streams import environments

JOB: Final = "raw-join"

_SOURCE = """
CREATE TEMPORARY TABLE incoming_records (
  v STRING, row_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR row_time AS row_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', {connection}, 'properties.group.id' = '{group}',
  'properties.client.id.prefix' = '{group}', 'scan.startup.mode' = 'earliest-offset', 'value.format' = 'raw',
  'scan.watermark.idle-timeout' = '10 s'
)"""

_SINK = """
CREATE TEMPORARY TABLE {name} (v STRING) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', {connection}, 'value.format' = 'raw',
  'sink.delivery-guarantee' = 'at-least-once', 'properties.acks' = 'all', 'properties.enable.idempotence' = 'true'
)"""

_FIELDS: Final = ("order_id", "stock_symbol", "quantity", "side", "order_type", "price")

_BRACKETED = """
CREATE TEMPORARY VIEW bracketed_records AS SELECT v, row_time, {fields} FROM incoming_records"""

_BRACKETED_FIELD = "JSON_QUERY(v, '$.{0}' WITH UNCONDITIONAL ARRAY WRAPPER) AS bracketed_{0}"

_JSON = """
CREATE TEMPORARY VIEW json_records AS SELECT v, row_time, {fields} FROM bracketed_records"""

_JSON_FIELD = "SUBSTRING(bracketed_{0}, 2, CHAR_LENGTH(bracketed_{0}) - 2) AS {0}"

_CHECKED = """
CREATE TEMPORARY VIEW checked_records AS
SELECT *, CASE
  WHEN v IS NULL OR v IS NOT JSON OBJECT THEN 'it is no JSON object'
  WHEN (order_id LIKE '"_%' OR TRY_CAST(order_id AS BIGINT) IS NOT NULL) IS NOT TRUE THEN 'order_id is no whole number and no text'
  WHEN (stock_symbol LIKE '"_%"') IS NOT TRUE THEN 'stock_symbol is no text'
  WHEN (TRY_CAST(quantity AS DOUBLE) > 0) IS NOT TRUE THEN 'quantity is no number above 0'
  WHEN (LOWER(side) IN ('"buy"', '"sell"')) IS NOT TRUE THEN 'side is none of buy and sell'
  WHEN (LOWER(order_type) IN ('"limit"', '"market"')) IS NOT TRUE THEN 'order_type is none of limit and market'
  WHEN (TRY_CAST(price AS DOUBLE) > 0) IS NOT TRUE AND LOWER(order_type) = '"limit"' THEN 'price is no number above 0'
END AS refusal FROM json_records"""

_ORDERS_OF_A_SIDE = """
CREATE TEMPORARY VIEW {name} AS
SELECT order_id, stock_symbol, quantity, price, row_time FROM checked_records WHERE refusal IS NULL AND LOWER(side) = '"{side}"'"""

_MATCHED = """
CREATE TEMPORARY VIEW MATCHED_TRADES AS
SELECT b.order_id AS buy_order_id, s.order_id AS sell_order_id, b.stock_symbol AS buy_stock_symbol,
  b.price AS buy_price, s.price AS sell_price, b.quantity AS quantity
FROM BUY_ORDERS AS b JOIN SELL_ORDERS AS s
  ON b.stock_symbol = s.stock_symbol
  AND CAST(b.quantity AS DOUBLE) = CAST(s.quantity AS DOUBLE)
  AND TRY_CAST(b.price AS DOUBLE) >= TRY_CAST(s.price AS DOUBLE)
  AND b.row_time BETWEEN s.row_time - INTERVAL '8' HOUR AND s.row_time + INTERVAL '8' HOUR"""

TRADE_RECORDS: Final = """
SELECT CONCAT('{"buy_order_id": ', buy_order_id, ', "sell_order_id": ', sell_order_id,
  ', "buy_stock_symbol": ', buy_stock_symbol, ', "buy_price": ', buy_price, ', "sell_price": ', sell_price,
  ', "quantity": ', quantity, '}') AS v FROM MATCHED_TRADES"""
"""The trades as JSON objects."""

REFUSED_RECORDS: Final = """
SELECT JSON_OBJECT(KEY 'reason' VALUE refusal, KEY 'record' VALUE v) AS v FROM checked_records WHERE refusal IS NOT NULL"""
"""What is no order, and why, as JSON objects."""


@dataclass(frozen=True)
class Topics:
    """Where the job reads and writes."""

    servers: str
    orders: str
    trades: str
    refused: str


def build(tables: StreamTableEnvironment) -> None:
    """Define the streams, down to MATCHED_TRADES, on a table `incoming_records` with the columns `v` and `row_time`.

    A market order without a price is an order, but nothing can be compared with its price: it is in no trade.
    """
    tables.execute_sql(_BRACKETED.format(fields=", ".join(map(_BRACKETED_FIELD.format, _FIELDS))))
    tables.execute_sql(_JSON.format(fields=", ".join(map(_JSON_FIELD.format, _FIELDS))))
    tables.execute_sql(_CHECKED)
    tables.execute_sql(_ORDERS_OF_A_SIDE.format(name="BUY_ORDERS", side="buy"))
    tables.execute_sql(_ORDERS_OF_A_SIDE.format(name="SELL_ORDERS", side="sell"))
    tables.execute_sql(_MATCHED)


def run(topics: Topics) -> None:
    """Connect the job to Kafka and submit it."""
    _, tables = environments(JOB)
    reached = connection(topics.servers)
    tables.execute_sql(_SOURCE.format(topic=topics.orders, connection=reached, group=JOB))
    build(tables)
    statements = tables.create_statement_set()
    for name, topic, query in (
        ("trade_records", topics.trades, TRADE_RECORDS),
        ("refused_records", topics.refused, REFUSED_RECORDS),
    ):
        tables.execute_sql(_SINK.format(name=name, topic=topic, connection=reached))
        statements.add_insert_sql(f"INSERT INTO {name} {query}")
    statements.execute()


def parse_topics(arguments: Sequence[str] | None = None) -> Topics:
    """Read the program's arguments."""
    parser = argparse.ArgumentParser(
        prog="flink run -pym flink_jobs.raw_join",
        description="Pairs the buy and sell orders of a topic by a join (for study: an order may match often).",
        epilog="example: flink run -pym flink_jobs.raw_join --bootstrap-servers localhost:9092 --trades matched_trades",
    )
    parser.add_argument("--bootstrap-servers", required=True, help="the Kafka brokers, HOST:PORT[,HOST:PORT]")
    for option, default, text in (
        ("--orders", "incoming_orders", "the topic to read, JSON objects, from its beginning"),
        ("--trades", "matched_trades", "the topic for the trades"),
        (
            "--refused",
            "refused_orders",
            "the topic for records that are no orders, each with the reason; they change nothing else",
        ),
    ):
        parser.add_argument(option, default=default, metavar="TOPIC", help=f"{text} (default {default})")
    given = parser.parse_args(arguments)
    for option in ("orders", "trades", "refused"):
        if not _is_topic(getattr(given, option)):
            parser.error(f"--{option} must be a topic's name: letters, digits, '.', '_' and '-', at most 249")
    return Topics(given.bootstrap_servers, given.orders, given.trades, given.refused)


def _is_topic(name: str) -> bool:
    return name.isascii() and 0 < len(name) <= 249 and all(letter.isalnum() or letter in "._-" for letter in name)


def main() -> None:
    """Submit the job."""
    run(parse_topics())


if __name__ == "__main__":
    main()
