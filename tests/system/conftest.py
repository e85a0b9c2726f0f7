"""On the bare stack, a venue of its own for each test, or for those of a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from venue import OpenVenue, Venue

from exchange.clock import VenueClock
from openbell.stack import Stack

_numbers = count(1)


@contextmanager
def _opening(stack: Stack) -> Iterator[OpenVenue]:
    opened: list[tuple[Venue, tuple[str, ...]]] = []

    def opening(clock: VenueClock, *jobs: str) -> Venue:
        venue = Venue(stack, f"test-{next(_numbers)}", clock)
        opened.append((venue, jobs))
        venue.start(*jobs)
        return venue

    yield opening
    for venue, jobs in opened:
        venue.end(*jobs)


@pytest.fixture
def open_venue(bare_stack: Stack) -> Iterator[OpenVenue]:
    with _opening(bare_stack) as opening:
        yield opening


@pytest.fixture(scope="module")
def shared_venue(bare_stack: Stack) -> Iterator[Venue]:
    """A live venue that the tests of a module share, each with symbols of its own."""
    with _opening(bare_stack) as opening:
        yield opening("live")
