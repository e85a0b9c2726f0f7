"""Durable form of many small records: pages that are rewritten only when one of their records changed.

Theory of operation: a machine numbers its records (orders, requests) upwards as they come. Records with neighbouring
numbers share a page, so what a packet brings lands on few pages, and an old record that changes rewrites its page and
no more. The pages' text, under `prefix:page`, is all that the host stores; reading them back in order gives the records
in the order of their numbers, which in a book is time priority. A page is a list with a place for each number, which costs a
third of what a dict would; an emptied one is dropped when it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

PAGE_BITS = 4
PAGE_SIZE = 1 << PAGE_BITS
_PLACE = PAGE_SIZE - 1


class Record(Protocol):
    """What a page holds: a record that can write itself as a JSON-able row."""

    def row(self) -> tuple[Any, ...]: ...


R = TypeVar("R", bound=Record)


class Pages(Generic[R]):
    """Numbered records, and which of their pages have changed since `changes` was last asked."""

    __slots__ = ("dirty", "pages", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.pages: dict[int, list[R | None]] = {}
        self.dirty: set[int] = set()

    def add(self, number: int, record: R) -> None:
        """Add a new record under a number higher than any before it."""
        page = number >> PAGE_BITS
        records = self.pages.get(page)
        if records is None:
            records = self.pages[page] = [None] * PAGE_SIZE
        records[number & _PLACE] = record
        self.dirty.add(page)

    def touch(self, number: int) -> None:
        """Note that the record `number` has changed."""
        self.dirty.add(number >> PAGE_BITS)

    def remove(self, number: int) -> None:
        """Forget the record `number`."""
        page = number >> PAGE_BITS
        self.pages[page][number & _PLACE] = None
        self.dirty.add(page)

    def changes(self, into: dict[str, str | None]) -> None:
        """Write every changed page's text, or None where a page is gone, into `into`."""
        for page in self.dirty:
            first = page << PAGE_BITS
            rows = [
                (number, *record.row())
                for number, record in enumerate(self.pages.get(page, ()), first)
                if record is not None
            ]
            if not rows:
                self.pages.pop(page, None)
            into[f"{self.prefix}:{page}"] = msgspec.json.encode(rows).decode() if rows else None
        self.dirty.clear()

    def load(self, entries: Mapping[str, str]) -> Iterator[tuple[int, list[Any]]]:
        """Yield (number, row) of every stored record, by number; the caller adds them back."""
        start = len(self.prefix) + 1
        mine = sorted((int(name[start:]), text) for name, text in entries.items() if name.startswith(f"{self.prefix}:"))
        for _, text in mine:
            for number, *row in msgspec.json.decode(text):
                yield number, row
