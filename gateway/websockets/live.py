"""Pushes what has changed to everyone who watches it, over websockets.

Theory of operation: what may be watched is a topic (a symbol's market, its chart, what is computed of it, the list of markets, an account's orders, its
inbox, the status), and each topic that somebody watches has one board. Word of a change makes the board read its view once, render the partials whose data are
not as before, and offer them to all its watchers: at once if it was quiet, else `PUSH_S` after the last time (or somewhat more). A watcher has one slot per
partial, in which the newest replaces what it has not fetched yet. So a slow reader costs a bounded number of bytes, sees the newest state
when it reads on, and holds nobody up; one that takes nothing for long is disconnected. A new watcher gets all that its boards
show at once, so reconnecting leaves no gap.

Candles and their indicators are pushed as those that may have changed, because a page merges them into what it has; where a slot still
holds some that were not fetched, the whole window takes their place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from gateway.analytics.page import Contexts, read_breadth, read_inbox, read_symbol
from gateway.health import Metrics
from gateway.ports import Changed, Views, ViewsUnavailable
from gateway.render import Renderer
from gateway.shown import Span
from gateway.websockets.seats import Seats

PUSH_S: Final = 0.08
"""Shortest time between two pushes of a market."""
SLOWER: Final = 3
"""How many times longer it is for what nobody reads by the tenth of a second: the chart, the list of markets, orders and balances."""
SLOWEST: Final = 12
"""The same for what is computed of a market."""
RETRY_S: Final = 0.5
STATUS_S: Final = 1.0
CANDLES_MIN: Final = 10
"""A push holds at least so many of the newest candles: those that the partial shows as a table."""
CLIENTS_MAX: Final = 2_000

Topic: TypeAlias = tuple[str, ...]
MERGED: Final = {"candles": "candles", "studies": "bars"}
"""Partials of which a page merges what it gets into what it has, and the lists that they show."""

_LOG = logging.getLogger(__name__)


class Client:
    """One websocket's slots: the newest HTML by partial, waiting to be sent."""

    def __init__(self) -> None:
        self._slots: dict[str, str] = {}
        self._filled = asyncio.Event()

    def offer(self, name: str, part: str, whole: Callable[[], str]) -> None:
        """Put a partial up for sending; `whole` makes what replaces a part that was not fetched."""
        self._slots[name] = whole() if name in self._slots else part
        self._filled.set()

    async def fetch(self) -> str:
        """Wait for partials, and take all there are."""
        await self._filled.wait()
        self._filled.clear()
        html = "\n".join(self._slots.values())
        self._slots.clear()
        return html


class Board:
    """What one topic shows, and who watches it. `read` returns the contexts of its partials as they are now."""

    def __init__(
        self, read: Callable[[], Awaitable[Contexts]], renderer: Renderer, metrics: Metrics, push_s: float = PUSH_S
    ) -> None:
        self.clients: set[Client] = set()
        self._read = read
        self._renderer = renderer
        self._metrics = metrics
        self._push_s = push_s
        self._contexts: Contexts = {}
        self._wholes: dict[str, str] = {}
        self._touched = asyncio.Event()
        self._touched_at = 0.0
        self._closed = False
        self.touch()
        self._task = asyncio.create_task(self._run())

    def touch(self) -> None:
        """Have the topic read anew."""
        if not self._touched.is_set():
            self._touched_at = time.perf_counter()
            self._touched.set()

    def join(self, client: Client) -> None:
        """Let a client watch, and offer it all that is shown now."""
        self.clients.add(client)
        for name in self._contexts:
            client.offer(name, self._whole(name), partial(self._whole, name))

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._task.cancel()

    async def _run(self) -> None:
        while not self._closed:
            await self._touched.wait()
            self._touched.clear()
            touched_at = self._touched_at
            try:
                contexts = await self._read()
                self._show(contexts)
            except Exception as error:  # noqa: BLE001  (whatever it is, the board must go on)
                if not isinstance(error, ViewsUnavailable):
                    _LOG.exception("a board could not be read or rendered")
                await asyncio.sleep(RETRY_S)
                self.touch()
                continue
            self._metrics.push_seconds.observe(time.perf_counter() - touched_at)
            await asyncio.sleep(self._push_s)

    def _show(self, contexts: Contexts) -> None:
        """Offer what is not as before to all who watch."""
        for name, context in contexts.items():
            before = self._contexts.get(name)
            if context == before:
                continue
            self._contexts[name] = context
            self._wholes.pop(name, None)
            part = self._part(name, context, before)
            for client in self.clients:
                client.offer(name, part, partial(self._whole, name))
            self._metrics.pushes.labels(name).inc(len(self.clients))

    def _whole(self, name: str) -> str:
        html = self._wholes.get(name)
        if html is None:
            html = self._wholes[name] = self._renderer.partial(name, **self._contexts[name])
        return html

    def _part(self, name: str, context: dict[str, Any], before: dict[str, Any] | None) -> str:
        """Render a partial as a page needs it that has shown `before`: of candles and bars, those from the last one of then."""
        listed = MERGED.get(name, "")
        rows = context.get(listed)
        if not rows or before is None or not before[listed]:
            return self._whole(name)
        last_ms = before[listed][-1].start_ms
        changed = sum(row.start_ms >= last_ms for row in rows)
        return self._renderer.partial(name, **{**context, listed: rows[-max(changed, CANDLES_MIN) :]})


class Hub:
    """All boards that somebody watches. Topics of an account name it; who watches must be one who may."""

    def __init__(
        self,
        views: Views,
        renderer: Renderer,
        metrics: Metrics,
        *,
        clients_max: int = CLIENTS_MAX,
        push_s: float = PUSH_S,
    ) -> None:
        self._views = views
        self._renderer = renderer
        self._metrics = metrics
        self._push_s = push_s
        self._boards: dict[Topic, Board] = {}
        self.seats = Seats(clients_max, metrics)

    @staticmethod
    def market_topics(symbol: str, span: Span, account: str | None, read: int = 0) -> list[Topic]:
        """Return the topics that a symbol's page watches. `account`: whose page it is, if anybody's; `read`: how many alerts who watches has read."""
        topics: list[Topic] = [("market", symbol, span), ("chart", symbol, span), ("analysis", symbol, span)]
        return [*topics, *([] if account is None else [("account", account, symbol)]), *_common(account, read)]

    @staticmethod
    def markets_topics(account: str | None, read: int = 0) -> list[Topic]:
        """Return the topics that the list of markets watches; arguments as of `market_topics`."""
        return [("markets",), *_common(account, read)]

    @staticmethod
    def alerts_topics(account: str, read: int) -> list[Topic]:
        """Return the topics that the page of an account's inbox watches."""
        return [("status",), ("inbox", account, str(read))]

    def join(self, topics: list[Topic]) -> Client:
        """Return a new watcher of some topics, for whom a seat is taken."""
        client = Client()
        for topic in topics:
            board = self._boards.get(topic)
            if board is None:
                push_s = self._push_s * {"market": 1, "analysis": SLOWEST}.get(topic[0], SLOWER)
                board = self._boards[topic] = Board(self._reader(topic), self._renderer, self._metrics, push_s)
            board.join(client)
        self._note()
        return client

    def leave(self, client: Client) -> None:
        """Let a watcher go, and drop the boards that nobody watches any more."""
        for topic, board in list(self._boards.items()):
            board.clients.discard(client)
            if not board.clients:
                board.close()
                del self._boards[topic]
        self._note()

    def hear(self, changed: Changed) -> None:
        """Touch the boards that a change is about."""
        for topic, board in self._boards.items():
            if changed.everything or _concerns(changed, topic):
                board.touch()

    async def watch_status(self) -> None:
        """Touch the status board every `STATUS_S`, for ever."""
        while True:
            board = self._boards.get(("status",))
            if board is not None:
                board.touch()
            await asyncio.sleep(STATUS_S)

    def _note(self) -> None:
        self._metrics.live_boards.set(len(self._boards))

    def _reader(self, topic: Topic) -> Callable[[], Awaitable[Contexts]]:
        what, *about = topic
        if what in ("inbox", "unread"):
            return partial(self._alerts, about[0], int(about[1]), here=what == "inbox")
        readers: dict[str, Callable[..., Awaitable[Contexts]]] = {
            "market": self._market,
            "chart": self._chart,
            "analysis": partial(read_symbol, self._views),
            "account": self._orders,
            "markets": self._markets,
            "status": self._status,
        }
        return partial(readers[what], *about)

    async def _status(self) -> Contexts:
        freshness = await self._views.freshness()
        if freshness.live:  # then its age is of no interest, and changes all the time
            freshness = msgspec.structs.replace(freshness, age_ms=0)
        return {"status": {"freshness": freshness}}

    async def _markets(self) -> Contexts:
        return {
            "markets": {"summaries": await self._views.summaries()},
            "breadth": await read_breadth(self._views.analytics),
        }

    async def _market(self, symbol: str, span: Span) -> Contexts:
        market = await self._views.market(symbol, span, candles=1)
        if market is None:
            return {}
        return {
            "summary": {"summary": market.summary},
            "ladder": {"depth": market.depth},
            "tape": {"trades": market.trades},
        }

    async def _chart(self, symbol: str, span: Span) -> Contexts:
        market = await self._views.market(symbol, span, levels=1, trades=1)
        if market is None:
            return {}
        tick, lot = market.summary.tick, market.summary.lot
        return {"candles": {"candles": market.candles, "span": span, "tick": tick, "lot": lot}}

    async def _alerts(self, account: str, read: int, *, here: bool) -> Contexts:
        return await read_inbox(self._views.analytics, account, read, here=here)

    async def _orders(self, name: str, symbol: str) -> Contexts:
        account = await self._views.account(name)
        orders = msgspec.structs.replace(account, balances=[])
        balances = msgspec.structs.replace(account, open_orders=[], ended_orders=[])
        return {"orders": {"account": orders, "symbol": symbol}, "balances": {"account": balances}}


def _common(account: str | None, read: int) -> list[Topic]:
    """Return the topics that every page watches."""
    return [("status",)] if account is None else [("status",), ("unread", account, str(read))]


def _concerns(changed: Changed, topic: Topic) -> bool:
    match topic:
        case (("market" | "chart" | "analysis"), symbol, _):
            return symbol in changed.symbols
        case (("account" | "inbox" | "unread"), account, _):
            return account in changed.accounts
        case ("markets",):
            return bool(changed.symbols)
        case _:
            return False
