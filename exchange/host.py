"""Runs machines over packets. Flink, the simulator, `openbell match` and `openbell verify` are shells around this.

Theory of operation: a packet is atomic. It is decoded, applied message by message to the machine of its key, and only
then do the machine's changed entries and the grouped outputs leave, together. What is no packet becomes a dead letter
and changes nothing. A packet that breaks an invariant becomes a dead letter, too: its machine is rebuilt from the
entries stored before it and halts, and then takes the same packet as a halted machine does, refusing what it may refuse,
so that channels stay whole and whoever waits for an answer gets one. What an operator asked in that packet is not done: a
`Resume` would only break the invariant again. Nothing loops; every other key goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from exchange import messages as m
from exchange import topics
from exchange.accounts import Accounts
from exchange.book import Book
from exchange.clock import VenueClock
from exchange.errors import InvalidPacket
from exchange.machine import Address, Entries, Machine
from exchange.packets import PACKET_MAX, PacketDecoder, decode_account_inbox, decode_book_inbox, encode
from exchange.topics import RECORD_BYTES_MAX

DETAIL_MAX = 300
"""Greatest length of a dead letter's texts, so that it always fits into a record; the raw bytes are kept whole."""

PACKET_BYTES_MAX = RECORD_BYTES_MAX * 7 // 8
"""Greatest length of a packet of several messages: leaves room for the record's key and frame."""

Make: TypeAlias = Callable[[str, Entries | None], Machine]
Load: TypeAlias = Callable[[], Entries]
Finish: TypeAlias = Callable[[Any], list[Any]]
"""Returns what a machine has to say after a whole packet, besides what `apply` returned for its messages."""

_OPERATOR = frozenset(
    (
        m.Resume, m.ListInstrument, m.Delist, m.SetPhase, m.CancelSymbol, m.BustTrade, m.SetFees, m.SetLimits, m.SetKillSwitch,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A record of an inbox: where it stands, when the broker appended it, its key and its value as they are."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: str
    value: bytes


@dataclass(slots=True)
class Outcome:
    """What a packet causes: records to write, as (topic, key, value), and state entries to store for its key."""

    records: list[tuple[str, str, bytes]] = field(default_factory=list)
    changes: dict[str, str | None] = field(default_factory=dict)
    deadline_ms: int | None = None


class Host:
    """The working forms of all keys of one process; a missing one is rebuilt by `load`."""

    def __init__(self, make: Make, decode: PacketDecoder[Any], finish: Finish | None = None) -> None:
        self._make = make
        self._decode = decode
        self._finish = finish
        self.machines: dict[str, Machine] = {}

    def machine(self, key: str, load: Load) -> Machine:
        """Return the working form of a key."""
        machine = self.machines.get(key)
        if machine is None:
            machine = self.machines[key] = self._make(key, load() or None)
        return machine

    def _machine_of(self, packet: list[Any], key: str, load: Load) -> Machine:
        """Return the working form of a packet's key, or raise InvalidPacket if the packet is for another one."""
        known = key in self.machines
        machine = self.machine(key, load)
        if not all(machine.accepts(message) for message in packet):
            if not known:
                self._drop(key)  # or records under nobody's key would fill the memory
            raise InvalidPacket("the record's key is not that of its messages")
        return machine

    def close(self) -> None:
        """Let go of all machines."""
        for key in list(self.machines):
            self._drop(key)

    def _drop(self, key: str) -> None:
        self.machines.pop(key).discard()

    def process(self, record: Record, load: Load) -> Outcome:
        """Apply one record; `load` returns the entries stored for its key."""
        outcome = Outcome()
        key = record.key
        try:
            packet = self._decode(record.value)
            machine = self._machine_of(packet, key, load)
        except InvalidPacket as error:
            outcome.records.append(_dead_letter(record, "INVALID_PACKET", str(error)))
            return outcome
        try:
            outputs = self._apply(machine, packet, record.time_ms)
        except InvalidPacket as error:
            self._drop(key)
            outcome.records.append(_dead_letter(record, "INVALID_PACKET", str(error)))
            return outcome
        except Exception as error:  # noqa: BLE001  (whatever it is, it must halt this key and no other)
            self._drop(key)
            outcome.records.append(_dead_letter(record, "BROKEN_INVARIANT", f"{type(error).__name__}: {error}"))
            machine = self.machine(key, load)
            machine.halted = True
            kept = [message for message in packet if type(message) not in _OPERATOR]
            outputs = self._apply(machine, kept, record.time_ms)
        _group(machine, outputs, record, outcome)
        for source in machine.inbound.overdue(record.time_ms) if machine.inbound.holes else ():
            outcome.records.append(_dead_letter(record, "CHANNEL_HOLE", f"messages of {source} are missing"))
        outcome.changes = machine.changes()
        outcome.deadline_ms = machine.deadline_ms()
        return outcome

    def _apply(self, machine: Machine, packet: list[Any], time_ms: int) -> list[Any]:
        outputs: list[Any] = []
        for message in packet:
            outputs += machine.apply(message, time_ms)
        return outputs + self._finish(machine) if self._finish else outputs


def book_host(clock: VenueClock, shards: int) -> Host:
    """Return a host for the books of a venue."""
    return Host(lambda symbol, entries: Book(symbol, clock, shards, entries), decode_book_inbox)


def accounts_host(clock: VenueClock, shards: int) -> Host:
    """Return a host for the account shards of a venue."""
    return Host(lambda shard, entries: Accounts(shard, clock, shards, entries), decode_account_inbox)


def records_of(machine: Machine, messages: Iterable[Any]) -> list[tuple[str, str, bytes]]:
    """Encode messages as records (topic, key, value): packets for each address, in their order."""
    return [record for address, group in _by_address(machine, messages).items() for record in _packets(address, group)]


def _group(machine: Machine, outputs: list[Any], record: Record, outcome: Outcome) -> None:
    """Add the records of what a machine has to say about a record to its outcome; what it refuses is a dead letter."""
    for address, group in _by_address(machine, outputs).items():
        if address[0] == topics.DEAD_LETTERS:
            outcome.records += [_dead_letter(record, "REJECTED", message.reason, encode(message)) for message in group]
        else:
            outcome.records += _packets(address, group)


def _by_address(machine: Machine, messages: Iterable[Any]) -> dict[Address, list[Any]]:
    groups: dict[Address, list[Any]] = {}
    for message in messages:
        address = machine.address(message)
        group = groups.get(address)
        if group is None:
            groups[address] = [message]
        else:
            group.append(message)
    return groups


def _packets(address: Address, group: list[Any]) -> list[tuple[str, str, bytes]]:
    """Encode messages for one address as packets of at most `PACKET_MAX` messages, and of a size that a topic takes."""
    packet = encode(group) if len(group) <= PACKET_MAX else b""
    if packet and (len(packet) <= PACKET_BYTES_MAX or len(group) == 1):
        return [(*address, packet)]
    middle = PACKET_MAX if len(group) > PACKET_MAX else (len(group) + 1) // 2
    return _packets(address, group[:middle]) + _packets(address, group[middle:])


def _dead_letter(record: Record, reason: Any, detail: str, raw: bytes | None = None) -> tuple[str, str, bytes]:
    letter = m.DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key[:DETAIL_MAX],
        reason=reason,
        detail=detail[:DETAIL_MAX],
        raw=record.value if raw is None else raw,
    )
    return topics.DEAD_LETTERS, record.topic, encode(letter)
