"""Repeats are dropped, whatever the packets they come in, and a broker that falls silent is told."""

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from exchange.channel import Inbound
from exchange.host import Record
from exchange.messages import Bar, Trade
from exchange.packets import decode_market_data, decode_trades, encode
from wire.errors import NotReachableError
from wire.reader import Reader, fresh


def trade(seq: int, symbol: str = "A") -> Trade:
    return Trade(symbol=symbol, seq=seq, time_ms=1, price=1, quantity=1, taker_side="buy", maker_order=1, taker_order=2)


def bar(seq: int, symbol: str) -> Bar:
    return Bar(source="@s", seq=seq, symbol=symbol, start_ms=0, span_ms=1, open=1, high=1, low=1, close=1, volume=1)


def record(offset: int, *messages: object) -> Record:
    return Record("v.trades", 0, offset, 1, "A", encode(messages))


def test_repeated_messages_come_once() -> None:
    inbound = Inbound()
    records = [record(0, trade(1), trade(2)), record(1, trade(2), trade(3)), record(2, trade(1, "B"))]
    assert list(fresh(inbound, records, decode_trades)) == [trade(1), trade(2), trade(3), trade(1, "B")]
    assert list(fresh(inbound, [record(3, trade(3), trade(4))], decode_trades)) == [trade(4)]


def test_bars_are_numbered_by_source_and_symbol() -> None:
    records = [record(0, bar(1, "A")), record(1, bar(1, "B"), bar(1, "A"), bar(2, "A"))]
    assert list(fresh(Inbound(), records, decode_market_data)) == [bar(1, "A"), bar(1, "B"), bar(2, "A")]


class SilentConsumer:
    """As Kafka's consumer, of a topic `t` that has ten records and a broker that sends none of them."""

    def __init__(self, **options: Any) -> None:
        del options

    def bootstrap(self, timeout_ms: int) -> None:
        del timeout_ms

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        del topic
        return {0}

    def assign(self, partitions: list[Any]) -> None:
        del partitions

    def seek(self, partition: Any, offset: int) -> None:
        del partition, offset

    def beginning_offsets(self, partitions: list[Any], timeout_ms: int) -> dict[Any, int]:
        del timeout_ms
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: list[Any], timeout_ms: int) -> dict[Any, int]:
        del timeout_ms
        return dict.fromkeys(partitions, 10)

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        del timeout_ms, max_records
        return {}

    def close(self) -> None:
        pass


def test_a_broker_that_falls_silent_before_the_end_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count()
    monkeypatch.setattr("wire.reader.KafkaConsumer", SilentConsumer)
    monkeypatch.setattr("wire.reader.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    with (
        Reader("127.0.0.1:1", None, ["t"]) as reader,
        pytest.raises(NotReachableError, match=r"^Kafka sent nothing for 30 s, 10 records before the end$"),
    ):
        list(reader.to_end())
    assert next(seconds) == 32
