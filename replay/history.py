"""What a venue's log says has been replayed into it so far.

The log is the truth: a player that starts, or starts again, sends what is not there yet, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from exchange import topics
from exchange.channel import Inbound
from exchange.errors import InvalidPacket
from exchange.messages import AdvanceClock, Bar, CancelOrder, Deposit, OpenAccount, PlaceOrder
from exchange.packets import decode_account_inbox, decode_market_data
from replay.bars import SOURCE
from replay.orders import Paper
from replay.pace import Stop
from replay.patience import patiently
from wire.reader import Progress, Reader, fresh

_COMMANDS = OpenAccount | Deposit | PlaceOrder | CancelOrder


@dataclass
class History:
    """The requests of the paper accounts, as (account, request id); their shard's clock; the bars by symbol, by time."""

    requests: set[tuple[str, str]] = field(default_factory=set)
    clock_ms: int = 0
    bars: dict[str, list[Bar]] = field(default_factory=dict)


def read_history(bootstrap_servers: str, venue: str, accounts: Paper, progress: Progress | None = None) -> History:
    """Read a venue's account inbox and market data to their ends; errors as in `wire.reader`."""
    history = History()
    with Reader(bootstrap_servers, venue, [topics.ACCOUNT_INBOX]) as reader:
        for record in reader.to_end(progress):
            if record.key == accounts.shard:
                with suppress(InvalidPacket):  # the accounts refuse it, too
                    note_commands(history, decode_account_inbox(record.value), accounts)
    history.bars = read_bars(bootstrap_servers, venue)
    return history


def read_bars(bootstrap_servers: str, venue: str, stop: Stop | None = None) -> dict[str, list[Bar]]:
    """Return the replayed bars in a venue's market data, by symbol and time.

    A broker that does not answer is waited for until `stop` is asked for; errors as in `replay.patience` and `wire.reader`.
    """
    return patiently(bootstrap_servers, lambda: _read_bars(bootstrap_servers, venue), stop)


def _read_bars(bootstrap_servers: str, venue: str) -> dict[str, list[Bar]]:
    bars: dict[str, list[Bar]] = {}
    with Reader(bootstrap_servers, venue, [topics.MARKET_DATA]) as reader:
        seen = Inbound()
        for record in reader.to_end():
            with suppress(InvalidPacket):
                for bar in fresh(seen, [record], _bars):
                    if bar.source == SOURCE:
                        bars.setdefault(bar.symbol, []).append(bar)
    return bars


def _bars(raw: bytes) -> list[Bar]:
    """Return a packet's replayed bars; market data from outside, which is not numbered, is none of them."""
    return [message for message in decode_market_data(raw) if isinstance(message, Bar)]


def note_commands(history: History, messages: Iterable[object], accounts: Paper) -> None:
    """Take note of what a packet of the paper accounts' shard asked for."""
    for message in messages:
        if isinstance(message, _COMMANDS) and message.account in accounts.accounts:
            history.requests.add((message.account, message.request_id))
        elif isinstance(message, AdvanceClock):
            history.clock_ms = max(history.clock_ms, message.time_ms)
