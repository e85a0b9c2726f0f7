"""Sends a flow at a rate, in packets of what is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from generator.flow import Addressed

TURN_S: Final = 0.01
"""How long what is due is gathered before it is sent."""
TURN_MAX: Final = 5_000
"""Greatest number of messages gathered at once."""


def grouped(flow: Iterable[Addressed], turn_max: int) -> Iterator[dict[tuple[str, str], list[Any]]]:
    """Yield `turn_max` messages at a time, the last ones fewer, by topic and key."""
    messages = iter(flow)
    while turn := _group(islice(messages, turn_max)):
        yield turn


def paced(
    flow: Iterable[Addressed],
    rate: float,
    stopped: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[dict[tuple[str, str], list[Any]]]:
    """Yield what is due at `rate` messages a second, by topic and key, until the flow ends or `stopped` says so."""
    messages = iter(flow)
    begun = clock()
    sent = 0
    while not stopped():
        due = min(int((clock() - begun) * rate) + 1 - sent, TURN_MAX)
        if due > 0:
            turn = _group(islice(messages, due))
            if not turn:
                return
            sent += due
            yield turn
        sleep(TURN_S)


def _group(messages: Iterable[Addressed]) -> dict[tuple[str, str], list[Any]]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for topic, key, message in messages:
        group = groups.get((topic, key))
        if group is None:
            groups[topic, key] = [message]
        else:
            group.append(message)
    return groups
