"""Reads the views from Redis and puts them into the shapes that are shown.

Theory of operation: what belongs together is read at one moment, the present generation's token with it. When the token is
not the one that was read under, the views have moved on to another generation and the read is made again. A market's row has
the instrument that its trades and candles are counted in, so that all of them agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import redis
from redis.asyncio import BlockingConnectionPool, Redis

from exchange.instruments import Instrument
from exchange.statement import OrderLine, RequestLine
from gateway import shapes
from gateway.analytics.views import RedisAnalytics
from gateway.keys import REPORTS_MAX, Beat, FillRow, GenerationKeys, Keys, ListingRow, MarketRow, ReportRow, TradeRow
from gateway.keys import BalanceRow as StoredBalance
from gateway.ports import ViewsUnavailable
from gateway.projecting.book_steps import StepRow, put_together
from gateway.shown import (
    AccountShown,
    Answer,
    BookChange,
    CandleShown,
    Depth,
    FillShown,
    Freshness,
    Market,
    OrderShown,
    Reports,
    Span,
    Summary,
    TradeShown,
)
from wire.clock import wall_ms

BEAT_MAX_MS: Final = 3_000
"""A projector that has not been heard of for so long is taken to be down."""
LISTED_S: Final = 1.0
"""How long a new listing may go unnoticed."""
TIMEOUT_S: Final = 2.0
AWAY_S: Final = 1.0
"""A server that has left a call without an answer is not asked again for so long: nobody waits for it call by call."""
CONNECTIONS_MAX: Final = 32
ATTEMPTS_MAX: Final = 5
NEW_REPORTS: Final = 64
"""So many of an account's newest reports are read first, and all only if these do not reach back far enough."""

SILENT: Final = "the market data cannot be read: Redis does not answer"
UNREACHABLE: Final = (redis.RedisError, OSError)
"""What a client that has lost its server may raise, while it reconnects, too."""

Read = Callable[[GenerationKeys], list[tuple[Any, ...]]]

_market = msgspec.json.Decoder(MarketRow).decode
_trade = msgspec.json.Decoder(TradeRow).decode
_balance = msgspec.json.Decoder(StoredBalance).decode
_order = msgspec.json.Decoder(OrderLine).decode
_step = msgspec.json.Decoder(StepRow).decode
_fill = msgspec.json.Decoder(FillRow).decode
_report = msgspec.json.Decoder(ReportRow).decode
_request = msgspec.json.Decoder(RequestLine).decode
_listing = msgspec.json.Decoder(ListingRow).decode


def client_of(url: str) -> Redis:
    """Return a client of Redis that waits for a connection, and for an answer, no longer than `TIMEOUT_S`."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
    )
    return Redis(connection_pool=pool)


class RedisViews:
    """The views of one venue. Implements `ports.Views`."""

    def __init__(self, server: str | Redis, venue: str, now_ms: Callable[[], int] = wall_ms) -> None:
        """`server` is Redis's URL, or a client of it."""
        self._redis: Any = client_of(server) if isinstance(server, str) else server
        self._keys = Keys(venue)
        self._now_ms = now_ms
        self._generation = ""
        self._listings: dict[tuple[str, int], Instrument] = {}
        self._instruments: dict[str, Instrument] = {}
        self._listed_at = -LISTED_S
        self._complete_ms: int | None = None
        self._away_until = 0.0
        self.analytics = RedisAnalytics(self._read)

    async def close(self) -> None:
        """Give the connections up."""
        await self._redis.aclose(close_connection_pool=True)

    async def freshness(self) -> Freshness:
        """Say whether the views are those of now."""
        try:
            stored, generation = await self._redis.mget(self._keys.beat, self._keys.generation)
        except UNREACHABLE:
            return self._stale(SILENT)
        if stored is None:
            return self._stale("the views are not built yet: no projector has been at work")
        beat = msgspec.json.decode(stored, type=Beat)
        self._complete_ms = beat.complete_ms or self._complete_ms
        if self._now_ms() - beat.at_ms > BEAT_MAX_MS:
            return self._stale("the projector is down")
        if not beat.complete:
            return self._stale(beat.reason)
        if generation is None:
            return self._stale("the views are gone and will be rebuilt")
        age_ms = max(0, self._now_ms() - beat.at_ms)
        return Freshness(live=True, age_ms=age_ms, reason="", mismatches=beat.mismatches)

    def _stale(self, reason: str) -> Freshness:
        age_ms = None if self._complete_ms is None else max(0, self._now_ms() - self._complete_ms)
        return Freshness(live=False, age_ms=age_ms, reason=reason)

    async def instruments(self) -> dict[str, Instrument]:
        """Return the listed instruments by symbol, each in its last version, as they were within the last `LISTED_S`."""
        now = time.monotonic()
        if now - self._listed_at < LISTED_S:
            return self._instruments
        if self._instruments:
            self._listed_at = now  # one asks anew, and the others go by what is known meanwhile
        try:
            (stored,) = await self._read(lambda keys: [("hvals", keys.listings)])
        except ViewsUnavailable:
            if not self._instruments:
                raise
        else:
            self._listed_at = time.monotonic()
            rows = sorted(map(_listing, stored), key=lambda row: (row.symbol, row.version))
            self._listings = {(row.symbol, row.version): row.instrument for row in rows}
            self._instruments = {row.symbol: row.instrument for row in rows}
        return self._instruments

    async def summaries(self) -> list[Summary]:
        """Return all symbols' summaries, by symbol."""
        listed = await self.instruments()
        if not listed:
            return []
        (rows,) = await self._read(lambda keys: [("mget", [keys.market(symbol) for symbol in listed])])
        views = [_market(row) for row in rows if row]
        return [shapes.summary(view.instrument, view) for view in views if view.instrument]

    async def market(
        self, symbol: str, span: Span, levels: int = 10, trades: int = 40, candles: int = 300
    ) -> Market | None:
        """Return all that a symbol's page shows."""
        found = await self._market(
            symbol,
            lambda keys: [
                ("lrange", keys.trades(symbol), 0, trades - 1),
                ("zrange", keys.busted_trades(symbol), 0, -1),
                ("zrange", keys.candles(symbol, span), -candles, -1),
            ],
        )
        if found is None:
            return None
        instrument, view, (tape, busted, newest) = found
        return Market(
            summary=shapes.summary(instrument, view),
            depth=shapes.depth(instrument, view, levels),
            trades=_trades(instrument, [_trade(row) for row in tape], busted),
            candles=shapes.candles(instrument, view, newest),
        )

    async def depth(self, symbol: str, levels: int) -> Depth | None:
        """Return the best levels of each side, at most `TOP_LEVELS`."""
        found = await self._market(symbol)
        return None if found is None else shapes.depth(found[0], found[1], levels)

    async def book_change(self, symbol: str, after: int) -> BookChange | None:
        """Return what leads from the book after its event `after` to the present one."""
        found = await self._market(symbol, lambda keys: [("zrangebyscore", keys.steps(symbol), f"({after}", "+inf")])
        if found is None:
            return None
        instrument, view, (rows,) = found
        steps = [_step(row) for row in rows]
        changed = put_together(steps, after)
        ends = steps[-1].seq if steps else after
        return shapes.book_change(instrument, view, changed if ends == view.deltas else None)

    async def trades(self, symbol: str, limit: int, before: int | None = None) -> list[TradeShown] | None:
        """Return the newest trades, newest first."""
        stop = limit - 1 if before is None else -1
        found = await self._market(
            symbol,
            lambda keys: [("lrange", keys.trades(symbol), 0, stop), ("zrange", keys.busted_trades(symbol), 0, -1)],
        )
        if found is None:
            return None
        instrument, _, (rows, busted) = found
        older = [row for row in map(_trade, rows) if before is None or row.seq < before]
        return _trades(instrument, older[:limit], busted)

    async def candles(self, symbol: str, span: Span, limit: int, end_ms: int | None = None) -> list[CandleShown] | None:
        """Return the newest candles, oldest first."""
        newest = "+inf" if end_ms is None else f"({end_ms}"
        found = await self._market(
            symbol, lambda keys: [("zrevrangebyscore", keys.candles(symbol, span), newest, "-inf", 0, limit)]
        )
        if found is None:
            return None
        instrument, view, (rows,) = found
        return shapes.candles(instrument, view, reversed(rows))

    async def account(self, account: str, ended: int = 20) -> AccountShown:
        """Return an account."""
        balances, open_rows, ids, busted = await self._read(
            lambda keys: [
                ("hgetall", keys.balances(account)),
                ("hvals", keys.open_orders(account)),
                ("lrange", keys.ended_ids(account), 0, ended - 1),
                ("hkeys", keys.busted_orders(account)),
            ]
        )
        ended_rows: list[bytes | None] = []
        if ids:
            (ended_rows,) = await self._read(lambda keys: [("hmget", keys.ended_orders(account), ids)])
        lines = sorted(map(_order, open_rows), key=lambda line: line.order_id, reverse=True)
        ended_lines = [_order(row) for row in ended_rows if row is not None]
        await self._know([*lines, *ended_lines], [asset.decode() for asset in balances])
        listed = self._listings.values()
        return AccountShown(
            account=account,
            balances=[shapes.balance(asset.decode(), _balance(row), listed) for asset, row in sorted(balances.items())],
            open_orders=self._shown(lines, busted),
            ended_orders=self._shown(ended_lines, busted),
        )

    async def order(self, account: str, order_id: int) -> OrderShown | None:
        """Return an order."""
        return (await self._orders(account, [order_id])).get(order_id)

    async def fills(self, account: str, limit: int, symbol: str | None = None) -> list[FillShown]:
        """Return the account's newest fills."""
        stop = limit - 1 if symbol is None else -1
        stored, busted = await self._read(
            lambda keys: [("lrange", keys.fills(account), 0, stop), ("smembers", keys.busted_fills(account))]
        )
        rows = [row for row in map(_fill, stored) if symbol in (None, row.symbol)][:limit]
        marked = {member.decode() for member in busted}
        await self._know(rows)
        return [
            shapes.fill(row, self._listings[row.symbol, row.listing], busted=f"{row.symbol}-{row.trade}" in marked)
            for row in rows
            if (row.symbol, row.listing) in self._listings
        ]

    async def reports(self, account: str, after: int) -> Reports:
        """Return what happened to the account's orders after a report, but for orders of listings that the log no longer has.

        Raises:
            ViewsUnavailable: while one is of a listing that is yet to be read: leaving it out, its reader would go on behind it.
        """
        rows: list[ReportRow] = []
        for length in (NEW_REPORTS, REPORTS_MAX):
            (stored,) = await self._read(lambda keys: [("lrange", keys.reports(account), 0, length - 1)])  # noqa: B023
            rows = list(map(_report, stored))
            if len(rows) < length or rows[-1].seq <= after:
                break
        complete = len(rows) < REPORTS_MAX or rows[-1].seq <= after
        new = [row for row in reversed(rows) if row.seq > after]
        await self._know([row.order for row in new])
        known = [row for row in new if (row.order.symbol, row.order.listing) in self._listings]
        if len(known) < len(new):
            newest = dict(sorted(self._listings))
            if any(row.order.listing > newest.get(row.order.symbol, 0) for row in new):
                raise ViewsUnavailable("an order is of a listing that is not known yet; try again in some seconds")
        return Reports(
            reports=[shapes.report(row, self._listings[row.order.symbol, row.order.listing]) for row in known],
            complete=complete,
        )

    async def answers(self, account: str, request_ids: Sequence[str]) -> dict[str, Answer]:
        """Return what became of requests, by id."""
        if not request_ids:
            return {}
        stored, repeats = await self._read(
            lambda keys: [
                ("hmget", keys.outcomes(account), request_ids),
                ("hmget", keys.repeats(account), request_ids),
            ]
        )
        outcomes = [
            shapes.outcome(_request(line or repeat), _request(repeat) if repeat else None)
            for line, repeat in zip(stored, repeats, strict=True)
            if line or repeat
        ]
        orders = await self._orders(account, [outcome.order_id for outcome in outcomes if outcome.order_id])
        return {outcome.request_id: Answer(outcome=outcome, order=orders.get(outcome.order_id)) for outcome in outcomes}

    # Reading

    async def _orders(self, account: str, order_ids: Sequence[int]) -> dict[int, OrderShown]:
        """Return orders by id, as far as there are such."""
        if not order_ids:
            return {}
        opened, ended, busted = await self._read(
            lambda keys: [
                ("hmget", keys.open_orders(account), order_ids),
                ("hmget", keys.ended_orders(account), order_ids),
                ("hkeys", keys.busted_orders(account)),
            ]
        )
        lines = [_order(row) for row in (*opened, *ended) if row is not None]
        await self._know(lines)
        return {shown.order_id: shown for shown in self._shown(lines, busted)}

    def _shown(self, lines: list[OrderLine], busted: list[bytes]) -> list[OrderShown]:
        """Show orders; one of a listing that is not known is left out, for nobody could say what its numbers mean."""
        marked = set(map(int, busted))
        return [
            shapes.order(line, self._listings[line.symbol, line.listing], busted=line.order_id in marked)
            for line in lines
            if (line.symbol, line.listing) in self._listings
        ]

    async def _know(self, lines: Sequence[OrderLine | FillRow], assets: Sequence[str] = ()) -> None:
        """Read the listings, at once where orders or assets are of some so new that they were not read yet."""
        await self.instruments()
        known = {asset for each in self._listings.values() for asset in (each.base, each.quote)}
        listed = all((line.symbol, line.listing) in self._listings for line in lines)
        if not (listed and known.issuperset(assets)):
            self._listed_at = -LISTED_S
            await self.instruments()

    async def _market(self, symbol: str, calls: Read = lambda _: []) -> tuple[Instrument, MarketRow, list[Any]] | None:
        """Read a market's row, and what some calls return of the same moment; None if it is not listed."""
        row, *found = await self._read(lambda keys: [("get", keys.market(symbol)), *calls(keys)])
        view = _market(row) if row else None
        return None if view is None or view.instrument is None else (view.instrument, view, found)

    async def _read(self, calls: Read) -> list[Any]:
        """Make some calls under the present generation at one moment.

        Raises:
            ViewsUnavailable: if Redis does not answer, or there are no views.
        """
        if time.monotonic() < self._away_until:
            raise ViewsUnavailable(SILENT)
        for _ in range(ATTEMPTS_MAX):
            asked = self._generation  # another reader may go over to the next one meanwhile
            async with self._redis.pipeline(transaction=True) as pipe:
                for name, *arguments in calls(self._keys.of(asked)):
                    getattr(pipe, name)(*arguments)
                pipe.get(self._keys.generation)
                try:
                    answers: list[Any] = await pipe.execute()
                except UNREACHABLE as error:
                    if isinstance(error, redis.TimeoutError):
                        self._away_until = time.monotonic() + AWAY_S
                    raise ViewsUnavailable(SILENT) from error
            *found, generation = answers
            if generation is None:
                raise ViewsUnavailable("the market data is being built; try again in some seconds")
            if generation.decode() == asked:
                return found
            self._generation = generation.decode()
        raise ViewsUnavailable("the market data keeps being rebuilt; try again in some seconds")


def _trades(instrument: Instrument, rows: list[TradeRow], busted: list[bytes]) -> list[TradeShown]:
    marked = set(map(int, busted))
    return [shapes.trade(instrument, row, marked) for row in rows]
