"""Carries out what an operator asks: writes it to the machines that must know, and waits until the log shows that it is done.

Theory of operation: the topics that show effects are read from their end as it is before anything is written, so that nothing
is missed. A book shows what it does by its own events and snapshots. An account shard is asked by an echo (`exchange.operating`).
A packet that a machine could not take comes back as a dead letter, with its bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from uuid import uuid4

from exchange import topics
from exchange.errors import InvalidPacket
from exchange.host import Record
from exchange.messages import (
    BookDelta,
    BookSnapshot,
    DeadLetter,
    Phase,
    PhaseChanged,
    RequestRejected,
    Resume,
    TradeBusted,
)
from exchange.operating import echo
from exchange.packets import (
    PacketDecoder,
    decode_book_deltas,
    decode_book_snapshots,
    decode_dead_letters,
    decode_order_reports,
)
from exchange.topics import topic_name
from openbell.board import Board, read_board
from openbell.errors import OpenbellError
from openbell.venue import Venue
from wire.clock import wall_ms
from wire.reader import Reader
from wire.writer import PacketWriter, packets

TIMEOUT_S: Final = 30.0
REFUSAL_S: Final = 2.0
"""A running job takes a command, or makes a dead letter of it, in much less."""

Seen: TypeAlias = Callable[[Any], bool]
"""Told of a message of the log; says whether it shows what is waited for."""

_DECODERS: Final[dict[str, PacketDecoder[Any]]] = {
    topics.ORDER_REPORTS: decode_order_reports,
    topics.BOOK_DELTAS: decode_book_deltas,
    topics.BOOK_SNAPSHOTS: decode_book_snapshots,
    topics.DEAD_LETTERS: decode_dead_letters,
}


class Operator:
    """Somebody who runs a venue. `board` is its markets as far as the log has been read. Use it as a context manager.

    Raises:
        NotReachableError: if no broker answers, or the venue has no topics.
    """

    def __init__(self, at: Venue, timeout_s: float = TIMEOUT_S) -> None:
        self.shards: Final = [str(number) for number in range(at.account_shards)]
        self._at = at
        self._timeout_s = timeout_s
        self._sent: set[bytes] = set()
        self._deltas = topic_name(at.name, topics.BOOK_DELTAS)
        self._names = {topic_name(at.name, topic): decode for topic, decode in _DECODERS.items()}
        self._reader = Reader(at.bootstrap_servers, at.name, list(_DECODERS))
        try:
            self._reader.skip_to_end()
            self.board: Board = read_board(at.bootstrap_servers, at.name)
            self._writer = PacketWriter(at.bootstrap_servers, at.name)
        except BaseException:
            self._reader.close()
            raise

    def tell_shards(self, shards: Iterable[str], commands: Callable[[str], list[Any]]) -> None:
        """Send each shard its commands, and wait until all have taken them.

        Raises:
            OpenbellError: if one refuses it, or the deadline passes.
        """
        waiting: set[str] = set()
        for shard in shards:
            asked = echo(shard, len(self.shards), f"echo-{uuid4().hex}", wall_ms())
            waiting.add(asked.request_id)
            self._send(topics.ACCOUNT_INBOX, shard, [*commands(shard), asked])
        self._writer.flush()

        def all_answered(message: Any) -> bool:
            if isinstance(message, RequestRejected):
                waiting.discard(message.request_id or "")
            return not waiting

        self._wait(all_answered, "the accounts have not taken it")

    def tell_books(self, commands: Mapping[str, list[Any]], shows: Seen | None = None) -> None:
        """Send books, by symbol, their commands; wait until a message of the log, told to `shows`, says that all are done.

        Without `shows` nothing will: then it is only waited for a refusal, for `REFUSAL_S`.

        Raises:
            OpenbellError: if a book refuses them, or the deadline passes.
        """
        for symbol, own in commands.items():
            self._send(topics.BOOK_INBOX, symbol, own)
            for command in own:
                if isinstance(command, Resume):  # what is computed of the symbol may have stopped itself, too
                    self._send(topics.MARKET_DATA, symbol, [command])
        self._writer.flush()
        if shows is not None:
            self._wait(shows, f"the book of {', '.join(commands)} has not shown it")
            return
        deadline_s = time.monotonic() + min(REFUSAL_S, self._timeout_s)
        while time.monotonic() < deadline_s:
            for _ in self._messages(self._reader.poll()):
                pass

    def _send(self, topic: str, key: str, commands: list[Any]) -> None:
        for packet in packets(commands):
            self._sent.add(packet)
            self._writer.send_raw(topic, key, packet)

    def _wait(self, seen: Seen, late: str) -> None:
        deadline_s = time.monotonic() + self._timeout_s
        done = False
        while not done:
            for message in self._messages(self._reader.poll()):
                done = seen(message) or done
            if not done and time.monotonic() > deadline_s:
                raise OpenbellError(
                    f"{late} within {self._timeout_s:g} s, though it is in the log and may still be done; "
                    "'openbell status' says whether the jobs run, --timeout waits longer"
                )

    def _messages(self, records: list[Record]) -> Iterator[Any]:
        """Yield what is new, or raise what has become of a packet of ours."""
        for record in records:
            try:
                messages = self._names[record.topic](record.value)
            except InvalidPacket:
                continue
            for message in messages:
                if isinstance(message, DeadLetter) and message.raw in self._sent:
                    raise OpenbellError(f"refused: {message.detail}")
                market = self.board.markets.get(message.symbol) if record.topic == self._deltas else None
                if market is None or market.add(message):
                    yield message

    def close(self) -> None:
        """Give both connections up."""
        self._writer.close()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def listed_as(versions: Mapping[str, int]) -> Seen:
    """Wait for the snapshot with which each book shows its listing, by symbol."""
    left = dict(versions)

    def seen(message: Any) -> bool:
        if isinstance(message, BookSnapshot) and message.listing >= left.get(message.symbol, message.listing + 1):
            del left[message.symbol]
        return not left

    return seen


def delisted(symbol: str) -> Seen:
    """Wait for the snapshot with which a book shows that its symbol is off the market."""
    return lambda message: isinstance(message, BookSnapshot) and message.symbol == symbol and message.delisted


def emptied(symbol: str, levels: Iterable[tuple[str, int]]) -> Seen | None:
    """Wait until each of these prices has been without orders; None if there are none, for then nothing will show."""
    left = set(levels)

    def seen(message: Any) -> bool:
        if isinstance(message, BookDelta) and message.symbol == symbol and not message.quantity:
            left.discard((message.side, message.price))
        return not left

    return seen if left else None


def in_phase(symbol: str, phase: Phase) -> Seen:
    """Wait until a market goes into a phase."""
    return lambda message: isinstance(message, PhaseChanged) and (message.symbol, message.phase) == (symbol, phase)


def undone(symbol: str, trade: int) -> Seen:
    """Wait until a trade is undone."""
    return lambda message: isinstance(message, TradeBusted) and (message.symbol, message.trade) == (symbol, trade)
