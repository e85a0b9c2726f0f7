"""Forms in which a book's orders can be kept in Flink's state: always the same book in memory, with other entries.

Theory of operation: a book tells its `pages` which orders come, change and go, and asks them after each packet for the entries to store. Here are
other `Pages` that make other entries of the same calls, and a book that works with them. No layout stores an order that has come and gone
within one packet if it can know that for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from exchange.book import Book
from exchange.book.book import META
from exchange.book.ladder import Order
from exchange.host import Host
from exchange.machine import Entries
from exchange.packets import decode_book_inbox
from exchange.pages import Pages

SHARDS: Final = 16
_END_OF_META: Final = "\n"
"""What JSON never has in it: ends the book's own part of a text that holds the whole book."""


class StoredBook(Book):
    """A book whose orders are kept by other pages; until `resting` orders have come it stores nothing, so that it is filled fast."""

    def __init__(self, symbol: str, pages: Pages[Order], resting: int, entries: Entries | None) -> None:
        meta = {META: entries[META].split(_END_OF_META)[0]} if entries else None
        super().__init__(symbol, "live", SHARDS, meta)
        self._resting = resting
        self.floor.orders.pages = self._plain.pages = pages
        if entries:
            self.floor.load(entries)
            self._look()

    def changes(self) -> dict[str, str | None]:
        """Return the entries to store."""
        return super().changes() if self.state.arrivals >= self._resting else {}


class WholeBook(Pages[Order]):
    """No entries but the book's own, which gets all orders after its end, whatever changed."""

    __slots__ = ("orders",)

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.orders: dict[int, Order] = {}

    def add(self, number: int, record: Order) -> None:
        self.orders[number] = record

    def touch(self, number: int) -> None:
        """Need nothing: all is written anyway."""

    def remove(self, number: int) -> None:
        del self.orders[number]

    def changes(self, into: dict[str, str | None]) -> None:
        into[META] = f"{into[META]}{_END_OF_META}{_text(self.orders)}"

    def load(self, entries: Mapping[str, str]) -> Iterator[tuple[int, list[Any]]]:
        for number, *row in msgspec.json.decode(entries[META].split(_END_OF_META)[1]):
            yield number, row


class OrderEntries(Pages[Order]):
    """An entry per order."""

    __slots__ = ("new", "orders")

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.orders: dict[int, Order] = {}
        self.new: set[int] = set()

    def add(self, number: int, record: Order) -> None:
        self.orders[number] = record
        self.new.add(number)

    def touch(self, number: int) -> None:
        self.dirty.add(number)

    def remove(self, number: int) -> None:
        del self.orders[number]
        if number in self.new:
            self.new.remove(number)
            self.dirty.discard(number)
        else:
            self.dirty.add(number)

    def changes(self, into: dict[str, str | None]) -> None:
        orders = self.orders
        for number in self.dirty | self.new:
            order = orders.get(number)
            into[f"{self.prefix}:{number}"] = None if order is None else _text({number: order})
        self.dirty.clear()
        self.new.clear()

    def load(self, entries: Mapping[str, str]) -> Iterator[tuple[int, list[Any]]]:
        yield from super().load(entries)
        self.new.clear()


class LevelEntries(Pages[Order]):
    """An entry per price level with all its orders."""

    __slots__ = ("level_of", "levels")

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.levels: dict[int, dict[int, Order]] = {}
        self.level_of: dict[int, int] = {}

    def add(self, number: int, record: Order) -> None:
        level = 2 * record.price + (record.side == "sell")
        self.levels.setdefault(level, {})[number] = record
        self.level_of[number] = level
        self.dirty.add(level)

    def touch(self, number: int) -> None:
        self.dirty.add(self.level_of[number])

    def remove(self, number: int) -> None:
        level = self.level_of.pop(number)
        del self.levels[level][number]
        self.dirty.add(level)

    def changes(self, into: dict[str, str | None]) -> None:
        for level in self.dirty:
            orders = self.levels.get(level)
            into[f"{self.prefix}:{level}"] = _text(orders) if orders else None
            if not orders:
                self.levels.pop(level, None)
        self.dirty.clear()

    def load(self, entries: Mapping[str, str]) -> Iterator[tuple[int, list[Any]]]:
        yield from sorted(super().load(entries))


class WidePages(Pages[Order]):
    """Pages of 64 orders, otherwise as the book's own of 16."""

    __slots__ = ()
    BITS: Final = 6
    PLACE: Final = 63

    def add(self, number: int, record: Order) -> None:
        page = number >> self.BITS
        records = self.pages.get(page)
        if records is None:
            records = self.pages[page] = [None] * (self.PLACE + 1)
        records[number & self.PLACE] = record
        self.dirty.add(page)

    def touch(self, number: int) -> None:
        self.dirty.add(number >> self.BITS)

    def remove(self, number: int) -> None:
        page = number >> self.BITS
        self.pages[page][number & self.PLACE] = None
        self.dirty.add(page)

    def changes(self, into: dict[str, str | None]) -> None:
        for page in self.dirty:
            records = enumerate(self.pages.get(page, ()), page << self.BITS)
            orders = {number: order for number, order in records if order is not None}
            into[f"{self.prefix}:{page}"] = _text(orders) if orders else None
            if not orders:
                self.pages.pop(page, None)
        self.dirty.clear()


NOW: Final = "map, pages of 16"
"""The layout that the book has."""
LAYOUTS: Final[dict[str, Callable[[str], Pages[Order]]]] = {
    "value, whole book": WholeBook,
    "map, order": OrderEntries,
    "map, level": LevelEntries,
    NOW: Pages,
    "map, pages of 64": WidePages,
}


def host(layout: str, resting: int) -> Host:
    """Return a host for books of a layout."""
    return Host(
        lambda symbol, entries: StoredBook(symbol, LAYOUTS[layout]("o"), resting, entries),
        decode_book_inbox,
    )


def _text(orders: Mapping[int, Order]) -> str:
    return msgspec.json.encode([(number, *order.row()) for number, order in orders.items()]).decode()
