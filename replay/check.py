"""Runs the proof against a venue's own trades, as they arrive."""

from __future__ import annotations

import time
from collections.abc import Sequence

from exchange import topics
from exchange.candles import Candles
from exchange.channel import Inbound
from exchange.messages import Bar
from exchange.packets import decode_trades
from replay.flow import STALL_S
from replay.pace import Stop
from replay.patience import patiently
from replay.proof import Proof, missing, prove
from wire.reader import Reader, fresh


def check(bootstrap_servers: str, venue: str, bars: Sequence[Bar], stop: Stop) -> Proof:
    """Read the trades until all of the bars' have arrived, none came for `STALL_S`, or `stop` is asked for; then compare.

    A broker that does not answer is waited for; errors as in `replay.patience` and `wire.reader`.
    """
    candles = Candles()
    inbound = Inbound()
    late: Sequence[Bar] = bars
    with patiently(bootstrap_servers, lambda: Reader(bootstrap_servers, venue, [topics.TRADES]), stop) as reader:
        heard = time.monotonic()
        while late and not stop.asked and time.monotonic() - heard < STALL_S:
            records = reader.poll()
            for trade in fresh(inbound, records, decode_trades):
                candles.add(trade)
            if records:
                heard = time.monotonic()
            late = missing(late, candles)
    return prove(bars, candles)
