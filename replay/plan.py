"""Which bars are still to be played, day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from exchange.messages import Bar
from replay.history import History
from replay.orders import Paper, begun


@dataclass(frozen=True)
class Plan:
    """Bars to play, those that begin together in one list; `previous` has each symbol's bar before the first of them.

    `done` counts the bars asked for that the venue has already; `past` those that can no longer be played, because they
    lie before its clock.
    """

    days: list[list[Bar]]
    previous: dict[str, Bar]
    done: int
    past: int

    @property
    def bars(self) -> int:
        """How many bars there are to play."""
        return sum(map(len, self.days))


def make_plan(
    bars: Mapping[str, Sequence[Bar]],
    symbols: Iterable[str],
    *,
    first_ms: int,
    last_ms: int,
    history: History,
    accounts: Paper,
) -> Plan:
    """Choose the bars of `symbols` that begin from `first_ms` to `last_ms` (both included) and are not played yet.

    They are numbered on from what the venue's market data has. A venue's clock never goes back, so a bar before it is
    left out, unless its orders were on their way when an earlier player stopped.
    """
    days: dict[int, list[Bar]] = {}
    done = past = 0
    previous = {symbol: played[-1] for symbol, played in history.bars.items()}
    for symbol in symbols:
        last = previous.get(symbol)
        number = last.seq if last else 0
        played = {bar.start_ms for bar in history.bars.get(symbol, ())}
        for bar in bars[symbol]:
            if not first_ms <= bar.start_ms <= last_ms:
                continue
            if bar.start_ms in played:
                done += 1
            elif bar.start_ms < history.clock_ms and not begun(bar, accounts, history.requests):
                past += 1
            else:
                number += 1
                days.setdefault(bar.start_ms, []).append(msgspec.structs.replace(bar, seq=number))
    return Plan([days[start_ms] for start_ms in sorted(days)], previous, done, past)
