"""The operator that tells alerts: what is known of symbols and accounts, keyed, connected with all alerts that are set, broadcast.

Theory of operation: every subtask knows all alerts, as broadcast state (account -> its alerts, as a packet) and, in its working form, as a
`Watchlist`; so an alert that is set holds for all keys at once, and survives a restore at any parallelism. What it has last seen of a key is
keyed state, as of every machine. Broadcast state can be read only where an element is processed, so the watchlist is filled at the first one.

An account's commands come in their order, because `alert-rules` is keyed by account. All subtasks decide alike on each, and each tells what it
refuses: a dead letter may stand there once for each subtask.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pyflink.common import Row
from pyflink.common.typeinfo import Types
from pyflink.datastream import KeyedBroadcastProcessFunction, KeyedStream, RuntimeContext
from pyflink.datastream.data_stream import DataStream
from pyflink.datastream.state import MapStateDescriptor, ReadOnlyBroadcastState

from exchange import topics
from exchange.host import Host
from exchange.packets import decode_alert_rules
from exchange.topics import topic_name
from flink_jobs.job import Venue
from flink_jobs.kafka_streams import OUTPUT, to_record
from flink_jobs.machine_function import MachineFunction
from udfs.alerts import RULES_ENTRY, AccountRules, AlertWatch, Watchlist, decode_facts

NAME = "alerts"
INPUTS = (topics.CANDLES, topics.INDICATORS, topics.SUMMARIES, topics.SIGNALS, topics.ORDER_REPORTS)
"""What alerts can be about."""
OUTPUTS = (topics.ALERTS, topics.DEAD_LETTERS)

RULES = MapStateDescriptor("rules", Types.STRING(), Types.STRING())


class AlertFunction(KeyedBroadcastProcessFunction):
    """Takes in facts (headed texts of `INPUTS`, keyed) and commands (rows of account and headed text) and yields alerts."""

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make the working forms' place; they are filled from state as keys and accounts come up."""
        watchlist = Watchlist()
        self._accounts = Host(lambda account, entries: AccountRules(account, watchlist, entries), decode_alert_rules)
        self._facts = MachineFunction(
            lambda: Host(lambda key, entries: AlertWatch(key, watchlist, entries), decode_facts),
            self._venue,
            INPUTS[0],
            False,
        )
        self._facts.open(runtime_context)
        self._restored = False

    def process_element(self, value: str, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Row]:
        """Apply a record of facts."""
        if not self._restored:
            self._restore(ctx.get_broadcast_state(RULES))
        yield from self._facts.process_element(value, ctx)

    def process_broadcast_element(self, value: Row, ctx: KeyedBroadcastProcessFunction.Context) -> Iterator[Row]:
        """Apply a record of commands."""
        state = ctx.get_broadcast_state(RULES)
        if not self._restored:
            self._restore(state)
        record = to_record(value[0], value[1])
        account = record.key
        outcome = self._accounts.process(record, lambda: _entries(state.get(account)))
        for text in outcome.changes.values():
            if text is None:
                state.remove(account)
            else:
                state.put(account, text)
        if account in state:
            # A refused packet has let go of the account's alerts; they must stand in the watchlist at all times.
            self._accounts.machine(account, lambda: _entries(state.get(account)))
        for topic, key, packet in outcome.records:
            yield Row(topic_name(self._venue, topic), key, packet.decode())

    def close(self) -> None:
        """Let go of the working forms: this process may go on with another job."""
        self._facts.close()
        self._accounts.close()

    def _restore(self, state: ReadOnlyBroadcastState) -> None:
        for account, text in state.items():
            self._accounts.machine(account, partial(_entries, text))
        self._restored = True


def build(facts: KeyedStream, commands: DataStream, venue: Venue) -> DataStream:
    """Turn the records of `INPUTS`, keyed, and those of `alert-rules`, unkeyed rows, into rows of `OUTPUTS`."""
    watched = facts.connect(commands.broadcast(RULES))
    return watched.process(AlertFunction(venue.name), OUTPUT).name(NAME).uid(NAME)


def _entries(text: str | None) -> dict[str, str]:
    return {} if text is None else {RULES_ENTRY: text}
