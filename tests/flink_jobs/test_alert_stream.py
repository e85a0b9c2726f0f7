"""The alert operator on Flink's mini cluster while records come in: an alert that is set holds at once, and survives a savepoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.common.typeinfo import Types
from pyflink.datastream.data_stream import CloseableIterator, DataStream
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from exchange import analysis as a
from exchange import messages as m
from exchange import topics
from exchange.host import Record
from exchange.packets import decode_alerts, decode_dead_letters, encode
from flink_jobs import alert_stream
from flink_jobs.job import Venue
from flink_jobs.kafka_streams import OUTPUT, environments, keyed

pytestmark = [pytest.mark.flink, pytest.mark.slow]

VENUE = Venue("unused:9092", "test", "replay", 16)
DEADLINE_S = 120
OFFSETS = count()
MARK = b"all records before this one have been taken in"
ANN = m.shard_of("ann", VENUE.shards)


class Running:
    """The operator in a job that reads files as they come up in two folders."""

    def __init__(self, folder: Path, restore: str | None, parallelism: int, log: list[Record]) -> None:
        env, tables = environments("test")
        settings = Configuration()
        if restore is not None:
            settings.set_string("execution.state-recovery.path", restore)
            # The files of the run before, and where it stood in them, are not this run's.
            settings.set_string("execution.state-recovery.ignore-unclaimed-state", "true")
        env.configure(settings)
        env.set_parallelism(parallelism)
        self._folder = folder
        self._parallelism = parallelism
        self._stopped = False
        facts = keyed(self._source(tables, "facts"))
        rows = alert_stream.build(facts, self._source(tables, "commands"), VENUE, partial(behind, log))
        collected = CloseableIterator(rows._j_data_stream.collectAsync(), OUTPUT)
        self._client = env.execute_async("test")._j_job_client
        self._rows: Queue[tuple[str, str, str] | Exception] = Queue()
        self._collecting = Thread(target=self._collect, args=(collected,), daemon=True)
        self._collecting.start()

    def _source(self, tables: StreamTableEnvironment, name: str) -> DataStream:
        (self._folder / name).mkdir(parents=True)
        tables.execute_sql(f"""
            CREATE TEMPORARY TABLE {name} (k STRING, v STRING) WITH ('connector' = 'filesystem', 'format' = 'json',
              'path' = '{(self._folder / name).as_uri()}', 'source.monitor-interval' = '20 ms')""")
        return tables.to_append_stream(
            tables.sql_query(f"SELECT k, v FROM {name}"), Types.ROW([Types.STRING(), Types.STRING()])
        )

    def _collect(self, collected: CloseableIterator) -> None:
        try:
            for row in collected:
                self._rows.put((row[0], row[1], row[2]))
        except Py4JJavaError as error:
            self._rows.put(error)

    def take(self, topic: str, key: str, *packets: Any) -> list[Any]:
        """Let the operator take in packets of a key, and return what it has said when it has taken them all: alerts, dead letters."""
        return self.take_records([recorded(topic, key, packet) for packet in packets])

    def take_records(self, records: list[Record]) -> list[Any]:
        """Let the operator take in records of one topic and key.

        Behind them comes what is no packet, whose dead letter tells that they have been taken in; of commands each subtask tells.
        """
        topic, key = records[0].topic.removeprefix("test."), records[0].key
        name = "commands" if topic == topics.ALERT_RULES else "facts"
        texts = [
            f"{each.topic} {each.partition} {each.offset} {each.time_ms} {each.value.decode('latin-1')}"
            for each in (*records, recorded(topic, key, MARK))
        ]
        written = self._folder / f"{next(OFFSETS)}.json"
        written.write_text("".join(json.dumps({"k": key, "v": text}) + "\n" for text in texts))
        written.rename(self._folder / name / written.name)
        said, marks = [], self._parallelism if name == "commands" else 1
        while marks:
            messages = self._said()
            marks -= [message.raw for message in messages if isinstance(message, m.DeadLetter)] == [MARK]
            said += [message for message in messages if not (isinstance(message, m.DeadLetter) and message.raw == MARK)]
        return said

    def command(self, *packets: Any) -> list[Any]:
        """Let the operator take in commands of ann's."""
        return self.take(topics.ALERT_RULES, "ann", *packets)

    def _said(self) -> list[Any]:
        row = self._rows.get(timeout=DEADLINE_S)
        assert not isinstance(row, Exception), f"the job has ended: {row}"
        topic, key, packet = row
        if topic == "test.dead-letters":
            return decode_dead_letters(packet.encode())
        assert topic == "test.alerts"
        told = decode_alerts(packet.encode())
        assert {alert.account for alert in told} == {key}
        return told

    def stop(self, savepoints: Path) -> str:
        """Stop with a savepoint and return where it is. PyFlink's own method lacks the format that Flink asks for since 1.15."""
        formats = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType
        savepoint = str(self._client.stopWithSavepoint(False, savepoints.as_uri(), formats.CANONICAL).get())
        self._stopped = True
        return savepoint

    def end(self) -> None:
        if not self._stopped:
            self._client.cancel().get()
        self._collecting.join(DEADLINE_S)


def recorded(topic: str, key: str, packet: Any) -> Record:
    """Return a record of a packet, written to its topic now."""
    offset = next(OFFSETS)
    value = packet if isinstance(packet, bytes) else encode(packet)
    return Record(f"test.{topic}", 0, offset, 1_000 + offset, key, value)


def behind(log: list[Record], offsets: Mapping[int, int]) -> list[Record]:
    """Return what the log of commands has behind some offsets."""
    return [record for record in log if record.offset >= offsets.get(record.partition, 0)]


@contextmanager
def running(
    folder: Path, restore: str | None = None, parallelism: int = 1, log: Sequence[Record] = ()
) -> Iterator[Running]:
    job = Running(folder, restore, parallelism, list(log))
    try:
        yield job
    finally:
        job.end()


def price(close: float, version: int) -> a.Indicators:
    return a.Indicators(
        symbol="AAPLUSD", source=a.TRADES_SOURCE, span_ms=60_000, start_ms=0, version=version, bars=1, open=close,
        high=close, low=close, close=close, volume=1.0, values={},
    )  # fmt: skip


def fill(seq: int) -> m.OrderFilled:
    return m.OrderFilled(
        source=ANN, seq=seq, time_ms=seq, account="ann", order_id=17, symbol="AAPLUSD", trade=seq, side="buy", price=100,
        quantity=5, leaves=0, liquidity="taker",
    )  # fmt: skip


def rule(condition: a.Condition, name: str, **more: Any) -> a.SetAlert:
    return a.SetAlert(account="ann", alert=name, condition=condition, channels=["inbox"], **more)


FILLS = rule(a.OrderFills(), "fills")


def either(level: float, name: str, **more: Any) -> a.SetAlert:
    return rule(a.PriceCrosses(price=level, direction="either"), name, symbol="AAPLUSD", **more)


def test_an_alert_that_is_set_while_data_flow_holds_at_once_for_every_key(tmp_path: Path) -> None:
    with running(tmp_path / "run", parallelism=2) as job:
        assert job.take(topics.INDICATORS, "AAPLUSD", price(189.0, 1), price(191.0, 2), price(189.0, 3)) == []
        assert job.take(topics.ORDER_REPORTS, ANN, fill(1)) == []
        assert job.command(either(190.0, "price"), FILLS) == []
        assert job.take(topics.INDICATORS, "AAPLUSD", price(191.0, 4)) == [
            a.Alert(
                account="ann",
                alert="price",
                event="price AAPLUSD 0 4",
                symbol="AAPLUSD",
                time_ms=0,
                text="AAPLUSD crossed 190 upwards: 191, before 189",
                channels=["inbox"],
            )
        ]
        assert [alert.event for alert in job.take(topics.ORDER_REPORTS, ANN, fill(2))] == ["filled AAPLUSD 2 17"]
        assert job.command(a.RemoveAlert(account="ann", alert="price")) == []
        assert job.take(topics.INDICATORS, "AAPLUSD", price(189.0, 5)) == []


def test_what_is_no_packet_and_what_is_too_much_becomes_a_dead_letter(tmp_path: Path) -> None:
    with running(tmp_path / "run") as job:
        [letter] = job.take(topics.SIGNALS, "AAPLUSD", b"\xff\xfe no packet")
        assert (letter.topic, letter.key, letter.raw) == ("test.signals", "AAPLUSD", b"\xff\xfe no packet")
        some, more = ([either(float(number), f"{name}{number}") for number in range(600)] for name in "ab")
        [letter] = job.command(some, more)
        assert (letter.topic, letter.reason) == ("test.alert-rules", "INVALID_PACKET")
        assert letter.detail == "ann has 1000 alerts, and can have no more"
        told = job.take(topics.INDICATORS, "AAPLUSD", [price(399.5, 1), price(400.5, 2)])
        assert [alert.alert for alert in told] == ["a400"], "of a refused packet nothing is done"


def test_alerts_and_what_was_last_seen_survive_a_savepoint_and_a_restore_at_another_parallelism(tmp_path: Path) -> None:
    with running(tmp_path / "before") as job:
        assert job.command(either(190.0, "price"), either(190.0, "cooling", cool_down_ms=60_000), FILLS) == []
        told = job.take(topics.INDICATORS, "AAPLUSD", price(189.0, 1), price(191.0, 2))
        assert [alert.alert for alert in told] == ["cooling", "price"]
        assert [alert.event for alert in job.take(topics.ORDER_REPORTS, ANN, fill(1))] == ["filled AAPLUSD 1 17"]
        savepoint = job.stop(tmp_path / "savepoints")
    with running(tmp_path / "after", savepoint, parallelism=2) as job:
        told = job.take(topics.INDICATORS, "AAPLUSD", price(189.0, 1), price(191.0, 2), price(189.0, 3))
        assert [(alert.alert, alert.event) for alert in told] == [("price", "price AAPLUSD 0 3")], (
            "the other one is cooling"
        )
        told = job.take(topics.ORDER_REPORTS, ANN, [fill(1), fill(2)])
        assert [alert.event for alert in told] == ["filled AAPLUSD 2 17"], "what has been told is not told again"
        assert job.command(a.RemoveAlert(account="ann", alert="fills"), rule(a.OrderFills(), "newer")) == []
        assert [alert.alert for alert in job.take(topics.ORDER_REPORTS, ANN, fill(3))] == ["newer"]


def test_facts_that_are_taken_in_again_before_their_commands_set_off_what_was_asked_for(tmp_path: Path) -> None:
    with running(tmp_path / "before") as job:
        assert job.command(either(190.0, "stored"), either(191.0, "changed"), either(192.0, "removed")) == []
        assert job.take(topics.INDICATORS, "AAPLUSD", price(189.0, 1)) == []
        savepoint = job.stop(tmp_path / "savepoints")
    commands = [
        either(196.0, "changed"),
        [either(193.0, "set"), a.RemoveAlert(account="ann", alert="removed")],
        [either(float(number), f"many{number}") for number in range(2_000, 3_001)],  # too many: nothing is done of it
        either(197.0, "later"),
    ]
    log = [recorded(topics.ALERT_RULES, "ann", packet) for packet in commands]
    with running(tmp_path / "after", savepoint, 2, log) as job:
        told = job.take(topics.INDICATORS, "AAPLUSD", price(195.0, 2))
        assert [alert.alert for alert in told] == ["stored", "set"]
        letters = job.take_records(log)
        assert {(letter.topic, letter.reason) for letter in letters} == {("test.alert-rules", "INVALID_PACKET")}
        told = job.take(topics.INDICATORS, "AAPLUSD", price(198.0, 3), price(189.0, 4))
        assert [alert.alert for alert in told] == ["changed", "later", "stored", "set", "changed", "later"]
        savepoint = job.stop(tmp_path / "savepoints")
    with running(tmp_path / "last", savepoint, 1, log) as job:
        told = job.take(topics.INDICATORS, "AAPLUSD", price(198.0, 5))
        assert [alert.alert for alert in told] == ["stored", "set", "changed", "later"], "all of it is in the state"
