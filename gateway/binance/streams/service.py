"""All that is streamed: markets by their streams' names, and accounts by theirs."""

from __future__ import annotations

from collections.abc import Callable

from gateway.binance.streams.feed import Feeds
from gateway.binance.streams.names import REAL_TIME_S, Stream
from gateway.binance.streams.sources import source_of
from gateway.binance.ws_api.account_source import AccountSource
from gateway.health import Metrics
from gateway.ports import Changed, Views
from gateway.websockets.seats import Seats


class Streams:
    """What websockets listen to; `sockets_max` is how many of them may be open at once."""

    def __init__(self, views: Views, now_ms: Callable[[], int], metrics: Metrics, sockets_max: int) -> None:
        self.markets = Feeds(source_of(views, now_ms), _of_symbol)
        self.accounts = Feeds(lambda stream: AccountSource(views, stream.name, now_ms), _of_account)
        self.seats = Seats(sockets_max, metrics)

    def hear(self, changed: Changed) -> None:
        """Have what a change is about read anew."""
        self.markets.hear(changed)
        self.accounts.hear(changed)

    async def close(self) -> None:
        """Stop reading anything."""
        await self.markets.close()
        await self.accounts.close()


def account_stream(account: str) -> Stream:
    """Return the stream of an account's events."""
    return Stream(account, "account", "", REAL_TIME_S)


def _of_symbol(changed: Changed, stream: Stream) -> bool:
    return stream.symbol in changed.symbols or (not stream.symbol and bool(changed.symbols))


def _of_account(changed: Changed, stream: Stream) -> bool:
    return stream.name in changed.accounts
