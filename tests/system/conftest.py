"""On the bare stack, a venue of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from venue import OpenVenue, Venue

from exchange.clock import VenueClock
from openbell.stack import Stack

_numbers = count(1)


@pytest.fixture
def open_venue(bare_stack: Stack) -> Iterator[OpenVenue]:
    opened: list[tuple[Venue, tuple[str, ...]]] = []

    def opening(clock: VenueClock, *jobs: str) -> Venue:
        venue = Venue(bare_stack, f"test-{next(_numbers)}", clock)
        opened.append((venue, jobs))
        venue.start(*jobs)
        return venue

    yield opening
    for venue, jobs in opened:
        venue.end(*jobs)
