"""A venue on a running stack, as its users have it: commands in, events out, jobs to start and stop."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from exchange import messages as m
from exchange import packets, topics
from exchange.channel import Inbound
from exchange.clock import VenueClock
from exchange.host import Record
from exchange.instruments import Instrument
from openbell.settings import variable
from openbell.stack import Stack
from openbell.stack import topics as broker
from openbell.stack.jobs import EXCHANGE, Jobs
from openbell.supervise.processes import wait_until
from wire.errors import WireError
from wire.reader import Reader, fresh
from wire.writer import PacketWriter

SHARDS = 16
DECODERS = {
    topics.TRADES: packets.decode_trades,
    topics.BOOK_DELTAS: packets.decode_book_deltas,
    topics.ORDER_REPORTS: packets.decode_order_reports,
    topics.ACCOUNT_UPDATES: packets.decode_account_updates,
    topics.DEAD_LETTERS: packets.decode_dead_letters,
}


class Venue:
    """A venue of its own name; `clock` is `live` or `replay`."""

    def __init__(self, stack: Stack, name: str, clock: VenueClock) -> None:
        self.stack = stack
        self.name = name
        self.clock = clock
        self.servers = stack.bootstrap_servers
        self.settings = replace(stack.settings, venue=name, clock=clock)
        self.jobs = Jobs(self.settings)
        broker.create(self.servers, name, stack.settings.partitions)
        assert wait_until(lambda: _is_led(self.servers, name), 60, every=0.2), f"the topics of {name} have no leaders"

    # Jobs

    def start(self, *jobs: str) -> None:
        """Submit jobs: those of the exchange, unless others are named."""
        wanted = jobs or EXCHANGE
        with ThreadPoolExecutor(len(wanted)) as pool:  # submitting takes seconds, of which each waits for most
            list(pool.map(self.jobs.submit, wanted))
        for name in wanted:
            self.jobs.wait_running(name, 180)

    def restart(self, name: str, parallelism: int) -> None:
        """Stop a job with a savepoint and start it from there at another parallelism."""
        savepoint = self.jobs.stop(name)
        assert savepoint is not None
        self.jobs.submit(name, parallelism=parallelism, restore=savepoint)
        assert self.jobs.wait_running(name, 120).parallelism == parallelism

    def kill_task_manager_of(self, name: str) -> None:
        """Kill the TaskManager that a job runs on, as `kill -9` does."""
        service = self.jobs.status(name).task_managers[0]
        os.kill(self.stack.pid(service), 9)

    def end(self, *jobs: str) -> None:
        """Cancel jobs: those of the exchange, unless others are named."""
        for name in jobs or EXCHANGE:
            self.jobs.cancel(name)

    # Commands in

    def list(self, *symbols: str) -> None:
        """List symbols such as AAPLUSD at all machines."""
        with PacketWriter(self.servers, self.name) as writer:
            for symbol in symbols:
                listed = Instrument(symbol=symbol, base=symbol.removesuffix("USD"), quote="USD")
                writer.send(topics.BOOK_INBOX, symbol, [m.ListInstrument(key=symbol, instrument=listed)])
                for shard in map(str, range(SHARDS)):
                    writer.send(topics.ACCOUNT_INBOX, shard, [m.ListInstrument(key=shard, instrument=listed)])

    def send(self, *commands: m.AccountCommand) -> None:
        """Send commands to their accounts, one a record."""
        with PacketWriter(self.servers, self.name) as writer:
            for command in commands:
                writer.send(topics.ACCOUNT_INBOX, m.shard_of(command.account, SHARDS), [command])

    def fund(self, *accounts: str, **amounts: int) -> None:
        """Open accounts, and give each the amounts."""
        for account in accounts:
            common: dict[str, Any] = {"account": account, "created_ms": now_ms()}
            self.send(
                m.OpenAccount(request_id="open", **common),
                *(
                    m.Deposit(request_id=asset, asset=asset, amount=amount, **common)
                    for asset, amount in amounts.items()
                ),
            )

    def order(self, account: str, request_id: str, side: m.Side, price: int, quantity: int, **more: Any) -> None:
        """Place an order; AAPLUSD unless told otherwise."""
        terms: dict[str, Any] = {"symbol": "AAPLUSD", "created_ms": now_ms(), **more}
        self.send(
            m.PlaceOrder(account=account, request_id=request_id, side=side, price=price, quantity=quantity, **terms)
        )

    def openbell(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line on this venue."""
        command = [
            sys.executable,
            "-m",
            "openbell",
            *arguments,
            "--bootstrap-servers",
            self.servers,
            "--venue",
            self.name,
        ]
        environment = {**os.environ, variable("clock"): self.clock, variable("home"): str(self.stack.settings.home)}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip

    # Events out

    def messages(self, topic: str) -> list[Any]:
        """Return all messages of an output topic up to now, repeats dropped (dead letters have no numbers)."""
        with Reader(self.servers, self.name, [topic]) as reader:
            records = list(reader.to_end())
        if topic == topics.DEAD_LETTERS:
            return [letter for record in records for letter in DECODERS[topic](record.value)]
        return list(fresh(Inbound(), records, DECODERS[topic]))

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic up to now."""
        with Reader(self.servers, self.name, [topic]) as reader:
            return list(reader.to_end())

    def count(self, topic: str) -> int:
        """Return the number of records in a topic."""
        with Reader(self.servers, self.name, [topic]) as reader:
            return sum(reader.end_offsets().values())

    def wait_for(self, topic: str, wanted: Callable[[list[Any]], Any], seconds: float = 60) -> Any:
        """Wait until the messages of a topic make `wanted` true, and return what it returned."""
        found: Any = None

        def there() -> bool:
            nonlocal found
            found = wanted(self.messages(topic))
            return bool(found)

        assert wait_until(there, seconds, every=0.2), f"not within {seconds:.0f} s in {self.name}.{topic}"
        return found

    def wait_for_more(self, topic: str, records: int, seconds: float = 60) -> float:
        """Wait until a topic has more than so many records, and return the seconds that it took."""
        begun = time.monotonic()
        with Reader(self.servers, self.name, [topic]) as reader:
            assert wait_until(lambda: _total(reader) > records, seconds, every=0.05), f"{topic} stands still"
        return time.monotonic() - begun


class OpenVenue(Protocol):
    """Opens a venue and starts its jobs; they are cancelled at the end of the test."""

    def __call__(self, clock: VenueClock, *jobs: str) -> Venue: ...


def _is_led(servers: str, name: str) -> bool:
    """Say whether the brokers that lead the partitions know it: what is written before is tried again and again."""
    try:
        with Reader(servers, name, topics.ALL) as reader:
            return bool(reader.end_offsets())
    except WireError:
        return False


def _total(reader: Reader) -> int:
    try:
        return sum(reader.end_offsets().values())
    except WireError:
        return 0


def now_ms() -> int:
    return time.time_ns() // 1_000_000
