"""Writes commands to the venue's `account-inbox` in Kafka, rules of alerts to its `alert-rules`, and what comes from outside to `market-data`.

Theory of operation: whoever asks wants to know at once whether a command is in the log, is not, or may be. So a probe looks every
`PROBE_S` whether a broker can be reached and whether what was sent is acknowledged in time, and while either is not so, commands are
refused before the producer has taken them (`NotTaken`). What it has taken is in its hands for `DELIVERY_MS`; a failure after that
proves nothing (`UnknownOutcome`), and the producer is replaced, because an idempotent one must not go on after a hole. There is one
write under way at a time, and what is asked meanwhile goes with the next, in as few records as it fits into: a record costs the
exchange more than the message in it, so a busy gateway is cheaper by the order than a quiet one, which writes at once. What was written
together has one outcome, and what waited behind a write that failed is refused. All that may block runs in one thread of its own, in
order; the event loop never waits for the broker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeAlias, TypeVar

from kafka import KafkaProducer
from kafka.errors import KafkaError

from exchange.analysis import MarketData, RemoveAlert, SetAlert
from exchange.messages import AccountCommand, DeadLetter, shard_of
from exchange.packets import (
    decode_account_inbox,
    decode_alert_rules,
    decode_book_inbox,
    decode_dead_letters,
    decode_market_data,
    encode,
)
from exchange.topics import ACCOUNT_INBOX, ALERT_RULES, BOOK_INBOX, DEAD_LETTERS, MARKET_DATA, topic_name
from gateway.alerts.rules import AlertCommand
from gateway.gathering import Closed, Gathering
from gateway.ports import NotTaken, UnknownOutcome
from gateway.tasks import stop
from wire.errors import WireError
from wire.probe import listens
from wire.security import client_options
from wire.writer import packets

PROBE_S: Final = 0.5
CONNECT_MS: Final = 2_000
LATE_S: Final = 1.0
"""A broker that leaves a command without acknowledgement for so long gets no further ones."""
REQUEST_MS: Final = 5_000
DELIVERY_MS: Final = 10_000
"""How long a command that was taken is tried."""
DROP_S: Final = 1.0
"""How long a producer that is given up may still take to deliver."""
BLOCK_MS: Final = 1_000
"""How long the producer may look for a partition before it takes a command."""
AWAY: Final = "the exchange cannot be reached now: nothing was sent"
UNCONFIRMED: Final = "the request was sent, but the exchange has not confirmed that it has it"

_Record: TypeAlias = tuple[str, str, bytes]
"""A topic, a key and a value."""
T = TypeVar("T")

_LOG = logging.getLogger(__name__)


_CHECKS: Final[Mapping[str, Callable[[bytes], object]]] = {
    ACCOUNT_INBOX: decode_account_inbox,
    BOOK_INBOX: decode_book_inbox,
    ALERT_RULES: decode_alert_rules,
    MARKET_DATA: decode_market_data,
    DEAD_LETTERS: decode_dead_letters,
}
"""By topic, what raises InvalidPacket for a packet that the exchange would not read."""


class _Asked(NamedTuple):
    """Messages by key that somebody wants to have in a topic."""

    topic: str
    messages: Mapping[str, Sequence[Any]]


class KafkaCommands:
    """Implements `ports.Commands`, `ports.Outside`, `alerts.rules.AlertCommands` and `admin.operating.OperatorCommands`. Use it as an asynchronous context manager; it starts whether or not Kafka is there."""

    def __init__(self, bootstrap_servers: str, venue: str, shards: int) -> None:
        self._servers = bootstrap_servers
        self._venue = venue
        self._topic = topic_name(venue, ACCOUNT_INBOX)
        self._rules = topic_name(venue, ALERT_RULES)
        self._market_data = topic_name(venue, MARKET_DATA)
        self._dead_letters = topic_name(venue, DEAD_LETTERS)
        self.shards = shards
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka-commands")
        self._producer: Any = None
        self._reachable = False
        self._broken = False
        self._asked: Gathering[_Asked, None] = Gathering(self._write_together)
        self._since: float | None = None
        self._probing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._probing = asyncio.create_task(self._probe())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._asked.close()
        if self._probing is not None:
            await stop([self._probing])
        await self._in_thread(self._drop)
        self._thread.shutdown(wait=False)

    def available(self) -> bool:
        """Say whether a broker can be reached and acknowledges in time."""
        on_time = self._since is None or time.monotonic() - self._since < LATE_S
        return self._producer is not None and self._reachable and not self._broken and on_time

    async def write(self, command: AccountCommand | AlertCommand) -> None:
        """Return when the command is in the log. Raises NotTaken or UnknownOutcome, and InvalidPacket for what the exchange would refuse."""
        if isinstance(command, SetAlert | RemoveAlert):
            await self._write(self._rules, {command.account: [command]})
        else:
            await self.write_many([command])

    async def write_many(self, commands: Sequence[AccountCommand]) -> None:
        """Return when all commands are in the log. Raises NotTaken or UnknownOutcome."""
        await self._write(self._topic, _grouped(commands, lambda command: shard_of(command.account, self.shards)))

    async def operate(self, inbox: str, commands: Mapping[str, Sequence[Any]]) -> None:
        """Return when an operator's commands for machines of an inbox, by key, are in the log. Raises NotTaken or UnknownOutcome."""
        await self._write(topic_name(self._venue, inbox), commands)

    async def record(self, facts: Sequence[MarketData]) -> None:
        """Return when market data from outside is in the log. Raises NotTaken or UnknownOutcome."""
        await self._write(self._market_data, _grouped(facts, lambda fact: fact.symbol))

    async def refuse(self, letter: DeadLetter) -> None:
        """Return when a dead letter is in the log. Raises NotTaken or UnknownOutcome."""
        await self._write(self._dead_letters, {letter.topic: [letter]})

    async def _write(self, topic: str, messages: Mapping[str, Sequence[Any]]) -> None:
        if not any(messages.values()):
            return
        check = _CHECKS[topic.rpartition(".")[2]]
        for some in messages.values():
            check(encode(some))  # what the exchange would refuse must not take along what others wrote with it
        if not self.available():
            raise NotTaken(AWAY)
        try:
            await self._asked.ask(_Asked(topic, messages))
        except Closed:
            raise UnknownOutcome(UNCONFIRMED) from None

    async def _write_together(self, asked: Sequence[_Asked]) -> list[None]:
        """Return when all that is asked for is in the log. Raises NotTaken or UnknownOutcome."""
        if not self.available():
            raise NotTaken(AWAY)
        merged: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for one in asked:
            for key, messages in one.messages.items():
                merged[one.topic, key] += messages
        records = [(topic, key, packet) for (topic, key), some in merged.items() for packet in packets(some)]
        loop = asyncio.get_running_loop()
        acknowledged: list[asyncio.Future[None]] = [loop.create_future() for _ in records]
        self._since = time.monotonic()
        try:
            await self._in_thread(self._send, records, acknowledged)
            async with asyncio.timeout((DELIVERY_MS + REQUEST_MS) / 1000):
                await asyncio.gather(*acknowledged)
        except (KafkaError, TimeoutError) as error:
            self._broken = True
            _LOG.warning("commands were not written: %r", error)
            raise UnknownOutcome(UNCONFIRMED) from error
        finally:
            self._since = None
        return [None] * len(asked)

    def _send(self, records: Sequence[_Record], acknowledged: Sequence[asyncio.Future[None]]) -> None:
        """Hand records to the producer; runs in the thread. Each of `acknowledged` is told in its own event loop.

        Raises NotTaken if not even the first was taken; after a later one that was not, none follows, and those are told so.
        """
        loop = acknowledged[0].get_loop()
        for number, ((topic, key, value), told) in enumerate(zip(records, acknowledged, strict=True)):
            try:
                sent = self._producer.send(topic, value, key=key.encode())
                failure = sent.exception if sent.failed() else None  # failed at once: never handed to the broker
            except (AttributeError, KafkaError) as error:  # the producer was dropped meanwhile, or found no partition
                failure = error
            if failure is None:
                sent.add_callback(lambda _, told=told: loop.call_soon_threadsafe(_tell, told, None))
                sent.add_errback(lambda error, told=told: loop.call_soon_threadsafe(_tell, told, error))
                continue
            _LOG.warning("a record was not taken: %r", failure)
            if number == 0:
                raise NotTaken("the exchange cannot take it now: nothing was sent") from failure
            for rest in acknowledged[number:]:
                loop.call_soon_threadsafe(_tell, rest, KafkaError(f"not taken: {failure!r}"))
            return

    async def _probe(self) -> None:
        """Keep `available` true to what is, and a producer at hand."""
        while True:
            was = self._reachable
            self._reachable = await asyncio.to_thread(listens, self._servers, PROBE_S)
            if was != self._reachable:
                _LOG.log(logging.INFO if self._reachable else logging.WARNING,
                         "Kafka at %s %s", self._servers, "answers" if self._reachable else "does not answer")  # fmt: skip
            if self._broken:
                await self._in_thread(self._drop)
                self._broken = False
            if self._reachable and self._producer is None:
                try:
                    await self._in_thread(self._connect)
                except (KafkaError, WireError) as error:
                    _LOG.warning("Kafka at %s cannot be written: %r", self._servers, error)
            await asyncio.sleep(PROBE_S)

    def _connect(self) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=self._servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            bootstrap_timeout_ms=CONNECT_MS,
            max_block_ms=BLOCK_MS,
            request_timeout_ms=REQUEST_MS,
            delivery_timeout_ms=DELIVERY_MS,
            reconnect_backoff_max_ms=1_000,
            allow_auto_create_topics=False,
            **client_options(),
        )
        with suppress(KafkaError):
            self._producer.partitions_for(self._topic)  # so that the first order does not wait for it

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=DROP_S)
            except KafkaError:  # something is still on its way: give it up, and tell whoever waits for it
                producer._sender.force_close()  # noqa: SLF001  (`close` leaves the thread alive when it gives up)

    async def _in_thread(self, call: Any, *args: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Return items by key, each in its order."""
    groups: defaultdict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def _tell(acknowledged: asyncio.Future[None], error: BaseException | None) -> None:
    if acknowledged.done():  # whoever asked has gone
        return
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(error)
