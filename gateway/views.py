"""Reads the views from Redis and puts them into the shapes that are shown.

Theory of operation: what belongs together is read in one round trip, the present generation's token with it. When the token is
not the one that was read under, the views have moved on to another generation and the read is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import redis
from redis.asyncio import BlockingConnectionPool, Redis

from exchange.instruments import Instrument
from exchange.money import from_units, minor_step
from exchange.statement import OrderLine, RequestLine
from gateway.keys import SPANS, Beat, CandleRow, GenerationKeys, Keys, MarketRow, TradeRow
from gateway.keys import BalanceRow as StoredBalance
from gateway.ports import ViewsUnavailable
from gateway.shown import (
    AccountShown,
    Answer,
    BalanceShown,
    CandleShown,
    Depth,
    Freshness,
    Level,
    Market,
    OrderShown,
    Outcome,
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
CONNECTIONS_MAX: Final = 32
ATTEMPTS_MAX: Final = 5

UNREACHABLE: Final = (redis.RedisError, OSError)
"""What a client that has lost its server may raise, while it reconnects, too."""

Read = Callable[[GenerationKeys], list[tuple[Any, ...]]]

_market = msgspec.json.Decoder(MarketRow).decode
_trade = msgspec.json.Decoder(TradeRow).decode
_candle = msgspec.json.Decoder(CandleRow).decode
_balance = msgspec.json.Decoder(StoredBalance).decode
_order = msgspec.json.Decoder(OrderLine).decode
_request = msgspec.json.Decoder(RequestLine).decode
_instrument = msgspec.json.Decoder(Instrument).decode


class RedisViews:
    """The views of one venue. Implements `ports.Views`."""

    def __init__(self, url: str, venue: str, now_ms: Callable[[], int] = wall_ms) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
        )
        self._redis: Any = Redis(connection_pool=pool)
        self._keys = Keys(venue)
        self._now_ms = now_ms
        self._generation = ""
        self._instruments: dict[str, Instrument] = {}
        self._listed_at = -LISTED_S
        self._complete_ms: int | None = None

    async def close(self) -> None:
        """Give the connections up."""
        await self._redis.aclose(close_connection_pool=True)

    async def freshness(self) -> Freshness:
        """Say whether the views are those of now."""
        try:
            stored, generation = await self._redis.mget(self._keys.beat, self._keys.generation)
        except UNREACHABLE:
            return self._stale("the market data cannot be read: Redis does not answer")
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
        return Freshness(live=True, age_ms=max(0, self._now_ms() - beat.at_ms), reason="")

    def _stale(self, reason: str) -> Freshness:
        age_ms = None if self._complete_ms is None else max(0, self._now_ms() - self._complete_ms)
        return Freshness(live=False, age_ms=age_ms, reason=reason)

    async def instruments(self) -> dict[str, Instrument]:
        """Return the listed instruments by symbol; a listing is for ever, so those of a moment ago will do."""
        if time.monotonic() - self._listed_at < LISTED_S:
            return self._instruments
        try:
            (stored,) = await self._read(lambda keys: [("hgetall", keys.instruments)])
        except ViewsUnavailable:
            if not self._instruments:
                raise
        else:
            self._listed_at = time.monotonic()
            self._instruments = {symbol.decode(): _instrument(value) for symbol, value in sorted(stored.items())}
        return self._instruments

    async def summaries(self) -> list[Summary]:
        """Return all symbols' summaries, by symbol."""
        listed = await self.instruments()
        if not listed:
            return []
        (rows,) = await self._read(lambda keys: [("mget", [keys.market(symbol) for symbol in listed])])
        return [
            _summary(instrument, _market(row)) for instrument, row in zip(listed.values(), rows, strict=True) if row
        ]

    async def market(
        self, symbol: str, span: Span, levels: int = 10, trades: int = 40, candles: int = 300
    ) -> Market | None:
        """Return all that a symbol's page shows."""
        instrument = await self._listed(symbol)
        if instrument is None:
            return None
        row, tape, newest = await self._read(
            lambda keys: [
                ("get", keys.market(symbol)),
                ("lrange", keys.trades(symbol), 0, trades - 1),
                ("zrange", keys.candles(symbol, span), -candles, -1),
            ]
        )
        if row is None:
            return None
        view = _market(row)
        return Market(
            summary=_summary(instrument, view),
            depth=_depth(instrument, view, view.bids[:levels], view.asks[:levels]),
            trades=[_trade_shown(instrument, _trade(one)) for one in tape],
            candles=[_candle_shown(instrument, _candle(one)) for one in newest],
        )

    async def depth(self, symbol: str, levels: int) -> Depth | None:
        """Return the best levels of each side, at most `TOP_LEVELS`."""
        instrument = await self._listed(symbol)
        if instrument is None:
            return None
        (row,) = await self._read(lambda keys: [("get", keys.market(symbol))])
        if row is None:
            return None
        view = _market(row)
        return _depth(instrument, view, view.bids[:levels], view.asks[:levels])

    async def trades(self, symbol: str, limit: int, before: int | None = None) -> list[TradeShown] | None:
        """Return the newest trades, newest first."""
        instrument = await self._listed(symbol)
        if instrument is None:
            return None
        stop = limit - 1 if before is None else -1
        (rows,) = await self._read(lambda keys: [("lrange", keys.trades(symbol), 0, stop)])
        found = (_trade(row) for row in rows)
        older = [row for row in found if before is None or row.seq < before]
        return [_trade_shown(instrument, row) for row in older[:limit]]

    async def candles(self, symbol: str, span: Span, limit: int, end_ms: int | None = None) -> list[CandleShown] | None:
        """Return the newest candles, oldest first."""
        instrument = await self._listed(symbol)
        if instrument is None:
            return None
        newest = "+inf" if end_ms is None else f"({end_ms}"
        (rows,) = await self._read(
            lambda keys: [("zrevrangebyscore", keys.candles(symbol, span), newest, "-inf", 0, limit)]
        )
        return [_candle_shown(instrument, _candle(row)) for row in reversed(rows)]

    async def account(self, account: str, ended: int = 20) -> AccountShown:
        """Return an account."""
        listed = await self.instruments()
        balances, open_rows, ids = await self._read(
            lambda keys: [
                ("hgetall", keys.balances(account)),
                ("hvals", keys.open_orders(account)),
                ("lrange", keys.ended_ids(account), 0, ended - 1),
            ]
        )
        ended_rows: list[bytes | None] = []
        if ids:
            (ended_rows,) = await self._read(lambda keys: [("hmget", keys.ended_orders(account), ids)])
        if not _assets(listed).issuperset(asset.decode() for asset in balances):
            self._listed_at = -LISTED_S  # a listing is so new that it was not read yet
            listed = await self.instruments()
        orders = sorted((_order(row) for row in open_rows), key=lambda line: line.order_id, reverse=True)
        return AccountShown(
            account=account,
            balances=[_balance_shown(asset.decode(), _balance(row), listed) for asset, row in sorted(balances.items())],
            open_orders=_orders(orders, listed),
            ended_orders=_orders([_order(row) for row in ended_rows if row is not None], listed),
        )

    async def order(self, account: str, order_id: int) -> OrderShown | None:
        """Return an order."""
        return (await self._orders(account, [order_id])).get(order_id)

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
            _outcome(_request(line or repeat), _request(repeat) if repeat else None)
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
        listed = await self.instruments()
        found = await self._read(
            lambda keys: [
                ("hmget", keys.open_orders(account), order_ids),
                ("hmget", keys.ended_orders(account), order_ids),
            ]
        )
        lines = [_order(row) for rows in found for row in rows if row is not None]
        return {shown.order_id: shown for shown in _orders(lines, listed)}

    async def _listed(self, symbol: str) -> Instrument | None:
        """Return an instrument, which never changes once it is listed."""
        if symbol not in self._instruments:
            self._listed_at = -LISTED_S
            await self.instruments()
        return self._instruments.get(symbol)

    async def _read(self, calls: Read) -> list[Any]:
        """Make some calls under the present generation in one round trip.

        Raises:
            ViewsUnavailable: if Redis does not answer, or there are no views.
        """
        for _ in range(ATTEMPTS_MAX):
            asked = self._generation  # another reader may go over to the next one meanwhile
            async with self._redis.pipeline(transaction=False) as pipe:
                for name, *arguments in calls(self._keys.of(asked)):
                    getattr(pipe, name)(*arguments)
                pipe.get(self._keys.generation)
                try:
                    answers: list[Any] = await pipe.execute()
                except UNREACHABLE as error:
                    raise ViewsUnavailable("the market data cannot be read: Redis does not answer") from error
            *found, generation = answers
            if generation is None:
                raise ViewsUnavailable("the market data is being built; try again in some seconds")
            if generation.decode() == asked:
                return found
            self._generation = generation.decode()
        raise ViewsUnavailable("the market data keeps being rebuilt; try again in some seconds")


# Rows into shapes


def _summary(instrument: Instrument, view: MarketRow) -> Summary:
    price, quantity, day = instrument.price_text, instrument.quantity_text, view.day
    last, previous = day.close if day else None, view.previous_close
    if day and view.time_ms >= day.start_ms + SPANS["1d"]:  # a new day has begun, and nothing has been traded in it
        day, previous = None, last
    change = percent = None
    if last is not None and previous:
        change = price(last - previous)
        percent = from_units(round((last - previous) * 10_000 / previous), "0.01")
    bid, ask = view.bids[0] if view.bids else None, view.asks[0] if view.asks else None
    return Summary(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        tick=instrument.tick,
        lot=instrument.lot,
        seq=view.trades,
        time_ms=view.time_ms,
        last=None if last is None else price(last),
        change=change,
        change_percent=percent,
        open=price(day.open) if day else None,
        high=price(day.high) if day else None,
        low=price(day.low) if day else None,
        volume=quantity(day.volume if day else 0),
        trades=view.trades,
        bid=price(bid[0]) if bid else None,
        bid_quantity=quantity(bid[1]) if bid else None,
        ask=price(ask[0]) if ask else None,
        ask_quantity=quantity(ask[1]) if ask else None,
        spread=price(ask[0] - bid[0]) if bid and ask else None,
    )


def _depth(instrument: Instrument, view: MarketRow, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Depth:
    greatest = max(sum(quantity for _, quantity in side) for side in (bids, asks)) or 1
    return Depth(
        symbol=instrument.symbol,
        seq=view.deltas,
        time_ms=view.time_ms,
        bids=_levels(instrument, bids, greatest),
        asks=_levels(instrument, asks, greatest),
    )


def _levels(instrument: Instrument, side: list[tuple[int, int]], greatest: int) -> list[Level]:
    total, shown = 0, []
    for price, quantity in side:
        total += quantity
        shown.append(
            Level(
                price=instrument.price_text(price),
                quantity=instrument.quantity_text(quantity),
                total=instrument.quantity_text(total),
                share=max(1, 100 * total // greatest),
            )
        )
    return shown


def _trade_shown(instrument: Instrument, row: TradeRow) -> TradeShown:
    return TradeShown(
        id=f"{instrument.symbol}-{row.seq}",
        seq=row.seq,
        time_ms=row.time_ms,
        price=instrument.price_text(row.price),
        quantity=instrument.quantity_text(row.quantity),
        taker_side="buy" if row.buy else "sell",
    )


def _candle_shown(instrument: Instrument, row: CandleRow) -> CandleShown:
    price = instrument.price_text
    return CandleShown(
        start_ms=row.start_ms,
        open=price(row.open),
        high=price(row.high),
        low=price(row.low),
        close=price(row.close),
        volume=instrument.quantity_text(row.volume),
        trades=row.trades,
    )


def _balance_shown(asset: str, row: StoredBalance, listed: dict[str, Instrument]) -> BalanceShown:
    """Write a balance with the decimals that the asset has in the listings."""
    step = minor_step(_scale(asset, listed))
    return BalanceShown(
        asset=asset,
        available=from_units(row.available, step),
        reserved=from_units(row.reserved, step),
        total=from_units(row.available + row.reserved, step),
        seq=row.seq,
    )


def _assets(listed: dict[str, Instrument]) -> set[str]:
    return {asset for instrument in listed.values() for asset in (instrument.base, instrument.quote)}


def _scale(asset: str, listed: dict[str, Instrument]) -> int:
    for instrument in listed.values():
        if asset == instrument.base:
            return instrument.base_scale
        if asset == instrument.quote:
            return instrument.quote_scale
    return 0


def _outcome(line: RequestLine, repeat: RequestLine | None) -> Outcome:
    return Outcome(
        request_id=line.request_id,
        state="ACCEPTED" if line.reason is None else "REJECTED",
        reason=line.reason,
        order_id=line.order_id,
        repeat=repeat.reason if repeat and repeat.reason == "DUPLICATE" else None,
        time_ms=line.time_ms,
        seq=(repeat or line).seq,  # the numbers of two channels do not compare
    )


def _orders(lines: list[OrderLine], listed: dict[str, Instrument]) -> list[OrderShown]:
    """Show orders; one of a symbol whose listing has not been read yet waits for the next read."""
    return [_order_shown(line, listed[line.symbol]) for line in lines if line.symbol in listed]


def _order_shown(line: OrderLine, instrument: Instrument) -> OrderShown:
    filled = line.quantity - line.leaves
    return OrderShown(
        order_id=line.order_id,
        request_id=line.request_id,
        symbol=line.symbol,
        side=line.side,
        kind=line.kind,
        time_in_force=line.time_in_force,
        expires_ms=line.expires_ms,
        price=instrument.price_text(line.price),
        quantity=instrument.quantity_text(line.quantity),
        filled=instrument.quantity_text(filled),
        leaves=instrument.quantity_text(line.leaves),
        average=instrument.price_text((line.value + filled // 2) // filled) if filled else None,
        state=line.state,
        reason=line.reason,
        placed_ms=line.placed_ms,
        time_ms=line.time_ms,
        seq=line.seq,
    )
