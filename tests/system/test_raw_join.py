"""The raw join of seed B on real Kafka and Flink, by `flink run`: an order is in as many trades as fit it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from wire.reader import Reader

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ORDERS, TRADES, REFUSED = "study_orders", "study_trades", "study_refused"


def order(number: int, side: str, quantity: int, price: float) -> dict[str, Any]:
    return {
        "order_id": number, "stock_symbol": "AAPL", "quantity": quantity, "side": side, "order_type": "limit",
        "price": price, "time_in_force": "gtc",
    }  # fmt: skip


def test_orders_are_joined_with_all_that_fit_and_what_is_none_is_told(bare_stack: Stack):
    servers, jobs = bare_stack.bootstrap_servers, bare_stack.jobs
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic(name, 1, 1) for name in (ORDERS, TRADES, REFUSED)])
    admin.close()
    orders = [
        order(1, "buy", 10, 101.5),
        order(2, "sell", 10, 101.5),
        order(3, "sell", 10, 99.0),
        order(4, "sell", 11, 99.0),
        order(5, "sell", 10, 102.0),
    ]
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    for value in [*(json.dumps(one).encode() for one in orders), b"no order"]:
        producer.send(ORDERS, value)
    producer.close()
    named = ["--orders", ORDERS, "--trades", TRADES, "--refused", REFUSED]
    job_id = jobs.run_module("flink_jobs.raw_join", ["--bootstrap-servers", servers, *named])
    try:
        found: list[dict[str, Any]] = []
        with Reader(servers, None, [TRADES, REFUSED]) as reader:

            def all_told() -> bool:
                found.extend(json.loads(record.value) for record in reader.poll())
                return len(found) >= 3

            assert wait_until(all_told, 120)
    finally:
        jobs.rest.cancel(job_id)
    common = {"buy_order_id": 1, "buy_stock_symbol": "AAPL", "buy_price": 101.5, "quantity": 10}
    assert sorted(found, key=lambda one: one.get("sell_order_id", 0)) == [
        {"reason": "it is no JSON object", "record": "no order"},
        common | {"sell_order_id": 2, "sell_price": 101.5},
        common | {"sell_order_id": 3, "sell_price": 99.0},
    ]
