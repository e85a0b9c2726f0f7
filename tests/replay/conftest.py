"""Fixtures for tests of the replay."""

from collections.abc import Callable

import memory_venue as memory
import pytest
from memory_venue import MemoryVenue

from exchange.messages import Bar


@pytest.fixture
def memory_venue() -> Callable[[], MemoryVenue]:
    return MemoryVenue


@pytest.fixture
def replayed() -> Callable[[list[list[Bar]]], MemoryVenue]:
    """Play days of bars into a venue of their own."""
    return memory.replayed
