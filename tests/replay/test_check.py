"""The check of a replay outlives its broker."""

from __future__ import annotations

import logging
import os
import signal

import pytest
from memory_venue import replayed
from venue import Venue

from exchange import topics
from exchange.packets import decode_trades
from openbell.stack import Stack
from openbell.supervise.processes import wait_until
from replay.bars import load
from replay.check import check
from replay.history import read_bars
from replay.pace import Stop
from replay.proof import Proof
from wire.probe import listens
from wire.writer import PacketWriter

pytestmark = pytest.mark.stack

SYMBOL = "AAPLUSD"
DAYS = 20


def kill_broker(stack: Stack) -> None:
    os.kill(stack.pid("kafka"), signal.SIGKILL)
    assert wait_until(lambda: not listens(stack.bootstrap_servers), 10, every=0.01)


def test_a_broker_that_is_killed_before_its_readers_open_is_waited_for(
    bare_stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    venue = Venue(bare_stack, "check-away", "replay")
    bars = load().bars[SYMBOL][:DAYS]
    with PacketWriter(venue.servers, venue.name) as writer:
        writer.send(topics.MARKET_DATA, SYMBOL, bars)
        writer.send(topics.TRADES, SYMBOL, replayed([[bar] for bar in bars]).read(topics.TRADES, decode_trades))
    kill_broker(bare_stack)
    assert read_bars(venue.servers, venue.name) == {SYMBOL: bars}
    assert any("the broker answers again" in record.getMessage() for record in caplog.records)
    kill_broker(bare_stack)
    assert check(venue.servers, venue.name, bars, Stop()) == Proof(DAYS, DAYS, None)
    waits = [record for record in caplog.records if "it is asked again" in record.getMessage()]
    assert len(waits) == 2, "each of them found the broker away"
    assert {record.levelno for record in waits} == {logging.WARNING}, "which the command line shows"
