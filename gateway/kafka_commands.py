"""Writes commands to the venue's `account-inbox` in Kafka, and rules of alerts to its `alert-rules`.

Theory of operation: whoever asks wants to know at once whether a command is in the log, is not, or may be. So a probe looks every
`PROBE_S` whether a broker can be reached and whether what was sent is acknowledged in time, and while either is not so, commands are
refused before the producer has taken them (`NotTaken`). What it has taken is in its hands for `DELIVERY_MS`; a failure after that
proves nothing (`UnknownOutcome`), and the producer is replaced, because an idempotent one must not go on after a hole. All that may block runs
in one thread of its own, in order; the event loop never waits for the broker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from exchange.analysis import RemoveAlert, SetAlert
from exchange.messages import AccountCommand, shard_of
from exchange.packets import encode
from exchange.topics import ACCOUNT_INBOX, ALERT_RULES, topic_name
from gateway.alert_rules import AlertCommand
from gateway.ports import NotTaken, UnknownOutcome
from gateway.tasks import stop
from wire.probe import listens

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

_LOG = logging.getLogger(__name__)


class KafkaCommands:
    """Implements `ports.Commands` and `alert_rules.AlertCommands`. Use it as an asynchronous context manager; it starts whether or not Kafka is there."""

    def __init__(self, bootstrap_servers: str, venue: str, shards: int) -> None:
        self._servers = bootstrap_servers
        self._topic = topic_name(venue, ACCOUNT_INBOX)
        self._rules = topic_name(venue, ALERT_RULES)
        self._shards = shards
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka-commands")
        self._producer: Any = None
        self._reachable = False
        self._broken = False
        self._sent: dict[asyncio.Future[None], float] = {}
        self._probing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._probing = asyncio.create_task(self._probe())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._probing is not None:
            await stop([self._probing])
        await self._in_thread(self._drop)
        self._thread.shutdown(wait=False)

    def available(self) -> bool:
        """Say whether a broker can be reached and acknowledges in time."""
        oldest = next(iter(self._sent.values()), None)
        on_time = oldest is None or time.monotonic() - oldest < LATE_S
        return self._producer is not None and self._reachable and not self._broken and on_time

    async def write(self, command: AccountCommand | AlertCommand) -> None:
        """Return when the command is in the log. Raises NotTaken or UnknownOutcome."""
        if not self.available():
            raise NotTaken("the exchange cannot be reached now: nothing was sent")
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent[acknowledged] = time.monotonic()
        try:
            await self._in_thread(self._send, command, acknowledged)
            async with asyncio.timeout((DELIVERY_MS + REQUEST_MS) / 1000):
                await acknowledged
        except (KafkaError, TimeoutError) as error:
            self._broken = True
            raise UnknownOutcome("the request was sent, but the exchange has not confirmed that it has it") from error
        finally:
            del self._sent[acknowledged]

    def _send(self, command: AccountCommand | AlertCommand, acknowledged: asyncio.Future[None]) -> None:
        """Hand a command to the producer; runs in the thread. `acknowledged` is told in its own event loop."""
        loop = acknowledged.get_loop()
        of_alerts = isinstance(command, SetAlert | RemoveAlert)
        topic = self._rules if of_alerts else self._topic
        key = command.account if of_alerts else shard_of(command.account, self._shards)
        try:
            sent = self._producer.send(topic, encode(command), key=key.encode())
        except (AttributeError, KafkaError) as error:  # the producer was dropped meanwhile, or found no partition
            _LOG.warning("a command was not taken: %r", error)
            raise NotTaken("the exchange cannot be reached now: nothing was sent") from error
        if sent.failed():  # at once, so it was never handed to the broker
            _LOG.warning("a command was not taken: %r", sent.exception)
            raise NotTaken("the exchange cannot take it now: nothing was sent")
        sent.add_callback(lambda _: loop.call_soon_threadsafe(_tell, acknowledged, None))
        sent.add_errback(lambda error: loop.call_soon_threadsafe(_tell, acknowledged, error))

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
                except KafkaError as error:
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


def _tell(acknowledged: asyncio.Future[None], error: BaseException | None) -> None:
    if acknowledged.done():  # whoever asked has gone
        return
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(error)
