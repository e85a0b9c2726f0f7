"""The Flink operators of the exchange: each hosts a machine per key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from pyflink.common import Row
from pyflink.common.typeinfo import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from exchange import topics
from exchange.host import Host, Outcome, Record
from exchange.messages import Tick
from exchange.packets import encode
from exchange.topics import topic_name
from flink_jobs.kafka_streams import to_record
from udfs.watch.host import ClosingHost

TICK_DELAY_MS = 20
"""How long after a deadline an idle machine's tick is written, so that the tick's append time lies past it."""

IDLE_S = 1.0
"""A key that has heard nothing for so long is idle."""

LAG_MS = 2_000
"""A partition whose last record was appended so long before it was read is still being caught up with."""
SILENT_S = 10.0
"""After so long without a record there are none left to catch up with; a job that has just begun waits so long for its first ones."""


class MachineFunction(KeyedProcessFunction):
    """Applies each record to the machine of its key and yields (topic, key, packet) rows.

    A machine's entries live in one map state. Its working form stays in this process, made in `open`, because modules
    outlive jobs in thread mode. With `ticking`, a machine that waits for a time gets a `Tick` in its inbox when that
    time has passed; the timer does nothing else, so that state changes only by the log.
    """

    def __init__(self, make_host: Callable[[], Host], venue: str, inbox: str, ticking: bool) -> None:
        self._make_host = make_host
        self._venue = venue
        self._topic = topic_name(venue, inbox)
        self._ticking = ticking

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make the working forms' place and the state."""
        self._host = self._make_host()
        self._entries = runtime_context.get_map_state(MapStateDescriptor("entries", Types.STRING(), Types.STRING()))
        self._names: dict[str, str] = {}
        self._timers: dict[str, int] = {}

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Apply one record."""
        record = to_record(ctx.get_current_key(), value)
        self._hear(record)
        outcome = self._host.process(record, self._load)
        self._store(outcome)
        if self._ticking and outcome.deadline_ms is not None:
            self._set_timer(record.key, outcome.deadline_ms, ctx)
        return self._rows(outcome.records)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Write a tick to the key's inbox."""
        del timestamp
        key = ctx.get_current_key()
        self._timers.pop(key, None)
        yield Row(self._topic, key, encode(Tick(key=key)).decode())

    def close(self) -> None:
        """Let go of the working forms: this process may go on with another job."""
        self._host.close()

    def _hear(self, record: Record) -> None:
        """Take note that a record has come."""

    def _rows(self, records: Iterable[tuple[str, str, bytes]]) -> Iterator[Row]:
        for topic, key, packet in records:
            name = self._names.get(topic)
            if name is None:
                name = self._names[topic] = topic_name(self._venue, topic)
            yield Row(name, key, packet.decode())

    def _load(self) -> dict[str, str]:
        return dict(self._entries.items())

    def _store(self, outcome: Outcome) -> None:
        changes = outcome.changes
        for name in [name for name, text in changes.items() if text is None]:
            del changes[name]
            self._entries.remove(name)
        if changes:
            self._entries.put_all(changes)

    def _set_timer(self, key: str, deadline_ms: int, ctx: KeyedProcessFunction.Context) -> None:
        service = ctx.timer_service()
        at = max(deadline_ms, service.current_processing_time()) + TICK_DELAY_MS
        pending = self._timers.get(key)
        if pending is None or at < pending:
            self._timers[key] = at
            service.register_processing_time_timer(at)


class ClosingFunction(MachineFunction):
    """Hosts machines of market analysis: what they have not told yet is told when it is due, and what the wall's clock has ended once the key is idle.

    That changes no state, and what is told are facts that replace each other. But rules are asked only once of a closed bar: so while records
    that were appended before are still to be read, as after a restore, nothing is closed. `market-data` bears times of whoever writes it, and
    closes nothing: it does not count.
    """

    _host: ClosingHost

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make the working forms' place and the state."""
        super().open(runtime_context)
        self._heard_s: dict[str, float] = {}
        self._opened_s = time.monotonic()
        self._read: dict[tuple[str, int], tuple[float, int]] = {}
        self._uncounted = topic_name(self._venue, topics.MARKET_DATA)

    def _hear(self, record: Record) -> None:
        """Note when its key and its partition were heard last."""
        now_s = self._heard_s[record.key] = time.monotonic()
        if record.topic != self._uncounted:
            self._read[record.topic, record.partition] = now_s, record.time_ms

    def _is_behind(self, now_ms: int, within_s: float) -> bool:
        """Say whether a record that was read within the last seconds had been appended some time before."""
        now_s = time.monotonic()
        return any(
            now_ms - (now_s - heard_s) * 1_000 - time_ms > LAG_MS
            for heard_s, time_ms in self._read.values()
            if now_s - heard_s < within_s
        )

    def _is_quiet(self, key: str, now_ms: int) -> bool:
        """Say whether nothing comes for a key, nor may there be records to read that were appended some time ago."""
        now_s = time.monotonic()
        if now_s - self._opened_s < SILENT_S or now_s - self._heard_s.get(key, 0.0) < IDLE_S:
            return False
        return not self._is_behind(now_ms, SILENT_S)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Tell what is due, unless there is a backlog: then more of it comes at once. What has ended is closed only if no records are coming in any
        more: otherwise it is the log's to say.
        """
        key = ctx.get_current_key()
        if self._timers.get(key, timestamp) != timestamp:
            return iter(())  # an earlier one has been set since
        self._timers.pop(key, None)
        now_ms = ctx.timer_service().current_processing_time()
        later_ms = timestamp + int(IDLE_S * 1_000)
        if self._is_behind(now_ms, IDLE_S):
            self._set_timer(key, later_ms, ctx)
            return iter(())
        is_quiet = self._is_quiet(key, now_ms)
        outcome = self._host.closing(key, self._load, timestamp, is_quiet=is_quiet)
        deadline_ms = outcome.deadline_ms
        if deadline_ms is not None:
            self._set_timer(key, deadline_ms if is_quiet else later_ms, ctx)
        return self._rows(outcome.records)
