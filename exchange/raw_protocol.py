"""Books driven by lines of JSON in the documented protocol as it is: integers, channels and all.

A line is a packet of `book-inbox` whose messages may be of several symbols; what comes out is each message that the books
cause, a line each; snapshots, which only repeat it, are left out. Time is that of the messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exchange.book import Book
from exchange.errors import InvalidPacket
from exchange.messages import BookSnapshot, EnterOco, EnterOrder, PullOrder, ReviseOrder, SwapOrder
from exchange.packets import decode_book_inbox, encode

SHARDS = 16
SYMBOLS_MAX = 10_000


class RawBooks:
    """The books of all symbols that have been named."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}

    def apply(self, line: bytes) -> Iterator[bytes]:
        """Apply a packet and yield the lines that come of it.

        Raises:
            InvalidPacket: if it is none, or a book cannot take one of its messages; those before that one are applied.
        """
        for message in decode_book_inbox(line):
            for event in self._apply(message):
                if not isinstance(event, BookSnapshot):
                    yield encode(event) + b"\n"

    def _apply(self, message: Any) -> list[Any]:
        numbered = isinstance(message, EnterOrder | EnterOco | PullOrder | ReviseOrder | SwapOrder)
        symbol = message.symbol if numbered else message.key
        book = self.books.get(symbol)
        if book is None:
            if len(self.books) >= SYMBOLS_MAX:
                raise InvalidPacket(f"more than {SYMBOLS_MAX} symbols")
            book = self.books[symbol] = Book(symbol, "replay", SHARDS)
        if not book.accepts(message):
            raise InvalidPacket(f"the {type(message).__name__} is not for {symbol}")
        if numbered:
            last = book.inbound.counts.get(message.source, 0)
            if message.seq != last + 1:
                raise InvalidPacket(
                    f"seq {message.seq} of {message.source} at {symbol} comes after {last}; it was dropped"
                )
        try:
            return book.apply(message, 0)
        except AssertionError as error:
            raise InvalidPacket(str(error)) from error
