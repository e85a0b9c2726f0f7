"""One stack for the tests of the whole, and on it a venue of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from support import StartStack
from venue import OpenVenue, Venue

from exchange.clock import VenueClock
from openbell.stack import Stack


@pytest.fixture(scope="session")
def bare_stack(start_stack: StartStack) -> Stack:
    """A stack without jobs and without the page, with slots for a venue's four jobs and one to spare for rescaling."""
    return start_stack(jobs=False, task_managers=5, page="off")


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
