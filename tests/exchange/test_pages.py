"""The durable form of numbered records."""

from __future__ import annotations

import random

from exchange.pages import PAGE_SIZE, Pages


class Row:
    def __init__(self, value: str) -> None:
        self.value = value

    def row(self) -> tuple[str]:
        return (self.value,)


def store(entries: dict[str, str], pages: Pages[Row]) -> list[str]:
    """Store what changed and return the names of the entries that were written or deleted."""
    changes: dict[str, str | None] = {}
    pages.changes(changes)
    for name, text in changes.items():
        if text is None:
            entries.pop(name, None)
        else:
            entries[name] = text
    return sorted(changes)


def test_neighbours_share_a_page() -> None:
    pages: Pages[Row] = Pages("o")
    for number in range(1, PAGE_SIZE + 1):
        pages.add(number, Row(str(number)))
    assert store({}, pages) == ["o:0", "o:1"]


def test_only_what_changed_is_written() -> None:
    pages: Pages[Row] = Pages("o")
    for number in range(1, 5 * PAGE_SIZE):
        pages.add(number, Row(str(number)))
    entries: dict[str, str] = {}
    store(entries, pages)
    assert store(entries, pages) == []
    pages.touch(PAGE_SIZE + 1)
    assert store(entries, pages) == ["o:1"]


def test_an_empty_page_is_deleted() -> None:
    pages: Pages[Row] = Pages("o")
    pages.add(1, Row("a"))
    entries: dict[str, str] = {}
    store(entries, pages)
    pages.remove(1)
    assert store(entries, pages) == ["o:0"]
    assert entries == {}


def test_pages_of_others_are_left_alone() -> None:
    assert list(Pages("o").load({"r:0": '[[1,"a"]]', "oo:0": '[[2,"b"]]', "o": "3"})) == []


def test_records_come_back_by_number_whatever_was_done() -> None:
    dice = random.Random(1)
    pages: Pages[Row] = Pages("o")
    entries: dict[str, str] = {}
    rows: dict[int, Row] = {}
    number = 0
    for _ in range(3_000):
        what = dice.random()
        if what < 0.5 or not rows:
            number += 1
            rows[number] = Row(f"{number}")
            pages.add(number, rows[number])
        else:
            chosen = dice.choice(list(rows))
            if what < 0.75:
                rows[chosen].value += "!"
                pages.touch(chosen)
            else:
                del rows[chosen]
                pages.remove(chosen)
        if dice.random() < 0.1:
            store(entries, pages)
    store(entries, pages)
    loaded = [(number, *row) for number, row in Pages("o").load(entries)]
    assert loaded == [(number, row.value) for number, row in sorted(rows.items())]
