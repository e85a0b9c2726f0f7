"""Runs the proof against a venue's own trades, as they arrive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from exchange import topics
from exchange.candles import Candles
from exchange.channel import Inbound
from exchange.messages import Bar
from exchange.packets import decode_trades
from replay.pace import Stop
from replay.proof import Proof, missing, prove
from wire.reader import Reader, fresh

SILENCE_S: Final = 30.0
"""When no trade comes for so long, what is missing will not come."""


def check(bootstrap_servers: str, venue: str, bars: Sequence[Bar], stop: Stop) -> Proof:
    """Read the trades until all of the bars' have arrived, none came for `SILENCE_S`, or `stop` is asked for; then compare.

    Errors as in `wire.reader`.
    """
    candles = Candles()
    inbound = Inbound()
    late: Sequence[Bar] = bars
    with Reader(bootstrap_servers, venue, [topics.TRADES]) as reader:
        heard = time.monotonic()
        while late and not stop.asked and time.monotonic() - heard < SILENCE_S:
            records = reader.poll()
            for trade in fresh(inbound, records, decode_trades):
                candles.add(trade)
            if records:
                heard = time.monotonic()
            late = missing(late, candles)
    return prove(bars, candles)
