"""The operator that tells alerts: what is known of symbols and accounts, keyed, connected with all alerts that are set, broadcast.

Theory of operation: every subtask knows all alerts, as broadcast state (account -> its alerts, as a packet) and, in its working form, as a
`Watchlist`; so an alert that is set holds for all keys at once, and survives a restore at any parallelism. What it has last seen of a key is
keyed state, as of every machine. Broadcast state can be read only where an element is processed, so the watchlist is filled at the first one.

Facts and commands come from different topics, in no order among each other. An operator that is set back would take in facts again before the
commands that came before them, and never tell what those asked for. So the watchlist is filled from the log, too, up to its end: with the
commands that are still to come to the operator. When they do, they change the state alone. No alert is judged by facts from before it was set.

An account's commands come in their order, because `alert-rules` is keyed by account. All subtasks decide alike on each, and each tells what it
refuses: a dead letter may stand there once for each subtask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from pyflink.common import Row
from pyflink.common.typeinfo import Types
from pyflink.datastream import KeyedBroadcastProcessFunction, KeyedStream, RuntimeContext
from pyflink.datastream.data_stream import DataStream
from pyflink.datastream.state import MapStateDescriptor, ReadOnlyBroadcastState

from exchange import topics
from exchange.host import Host, Record
from exchange.packets import decode_alert_rules
from exchange.topics import topic_name
from flink_jobs.job import Venue
from flink_jobs.kafka_streams import OUTPUT, to_record
from flink_jobs.machine_function import MachineFunction
from udfs.alerts import RULES_ENTRY, AccountRules, AlertWatch, Watchlist, decode_facts
from wire.reader import Reader
from wire.security import KafkaSecurity

NAME = "alerts"
INPUTS = (topics.CANDLES, topics.INDICATORS, topics.SUMMARIES, topics.SIGNALS, topics.ORDER_REPORTS)
"""What alerts can be about."""
OUTPUTS = (topics.ALERTS, topics.DEAD_LETTERS)

RULES = MapStateDescriptor("rules", Types.STRING(), Types.STRING())
OFFSETS = MapStateDescriptor("offsets", Types.INT(), Types.LONG())
"""The offset of the next command to come, by partition."""

Log: TypeAlias = Callable[[Mapping[int, int]], Iterable[Record]]


class AlertFunction(KeyedBroadcastProcessFunction):
    """Takes in facts (headed texts of `INPUTS`, keyed) and commands (rows of account and headed text) and yields alerts.

    `log` reads the commands that are in the log, from given offsets by partition (of others from the beginning) to the present end.
    """

    def __init__(self, venue: str, log: Log) -> None:
        self._venue = venue
        self._log = log

    def open(self, runtime_context: RuntimeContext) -> None:
        """Make the working forms' place; they are filled from state as keys and accounts come up."""
        watchlist = Watchlist()
        self._accounts = _accounts_of(watchlist)
        self._ahead: dict[int, int] = {}
        self._facts = MachineFunction(
            lambda: Host(lambda key, entries: AlertWatch(key, watchlist, entries), decode_facts),
            self._venue,
            INPUTS[0],
            False,
        )
        self._facts.open(runtime_context)
        self._begun = False

    def process_element(self, value: str, ctx: KeyedBroadcastProcessFunction.ReadOnlyContext) -> Iterator[Row]:
        """Apply a record of facts."""
        if not self._begun:
            self._begin(ctx.get_broadcast_state(RULES), ctx.get_broadcast_state(OFFSETS))
        yield from self._facts.process_element(value, ctx)

    def process_broadcast_element(self, value: Row, ctx: KeyedBroadcastProcessFunction.Context) -> Iterator[Row]:
        """Apply a record of commands."""
        state, offsets = ctx.get_broadcast_state(RULES), ctx.get_broadcast_state(OFFSETS)
        if not self._begun:
            self._begin(state, offsets)
        record = to_record(value[0], value[1])
        account, known = record.key, record.offset < self._ahead.get(record.partition, 0)
        accounts = _accounts_of(Watchlist()) if known else self._accounts
        outcome = accounts.process(record, lambda: _entries(state.get(account)))
        for text in outcome.changes.values():
            if text is None:
                state.remove(account)
            else:
                state.put(account, text)
        offsets.put(record.partition, record.offset + 1)
        if account in state and not known:
            # A refused packet has let go of the account's alerts; they must stand in the watchlist at all times.
            self._accounts.machine(account, lambda: _entries(state.get(account)))
        for topic, key, packet in outcome.records:
            yield Row(topic_name(self._venue, topic), key, packet.decode())

    def close(self) -> None:
        """Let go of the working forms: this process may go on with another job."""
        self._facts.close()
        self._accounts.close()

    def _begin(self, state: ReadOnlyBroadcastState, offsets: ReadOnlyBroadcastState) -> None:
        """Fill the watchlist: with what is stored, and with the commands that are in the log behind it."""
        texts: dict[str, str | None] = dict(state.items())
        for account, text in texts.items():
            self._accounts.machine(account, partial(_entries, text))
        for record in self._log(dict(offsets.items())):
            changes = self._accounts.process(record, partial(_entries, texts.get(record.key))).changes
            texts[record.key] = changes.get(RULES_ENTRY, texts.get(record.key))
            self._accounts.machine(record.key, partial(_entries, texts[record.key]))
            self._ahead[record.partition] = record.offset + 1
        self._begun = True


def build(facts: KeyedStream, commands: DataStream, venue: Venue, log: Log) -> DataStream:
    """Turn the records of `INPUTS`, keyed, and those of `alert-rules`, unkeyed rows, into rows of `OUTPUTS`; `log` as of `AlertFunction`."""
    watched = facts.connect(commands.broadcast(RULES, OFFSETS))
    return watched.process(AlertFunction(venue.name, log), OUTPUT).name(NAME).uid(NAME)


def command_log(venue: Venue, security: KafkaSecurity) -> Log:
    """Return what reads a venue's `alert-rules`, wherever the operator runs."""
    name = topic_name(venue.name, topics.ALERT_RULES)

    def read(offsets: Mapping[int, int]) -> Iterator[Record]:
        start = {(name, partition): offset for partition, offset in offsets.items()}
        with Reader(venue.servers, venue.name, [topics.ALERT_RULES], start, security) as reader:
            yield from reader.to_end()

    return read


def _accounts_of(watchlist: Watchlist) -> Host:
    """Return the accounts' alerts, kept in step with a watchlist."""
    return Host(lambda account, entries: AccountRules(account, watchlist, entries), decode_alert_rules)


def _entries(text: str | None) -> dict[str, str]:
    return {} if text is None else {RULES_ENTRY: text}
