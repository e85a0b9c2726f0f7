"""Reads the views from Redis and puts them into the shapes that are shown.

Theory of operation: what belongs together is read in one round trip, the present generation's token with it. When the token is
not the one that was read under, the views have moved on to another generation and the read is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import redis
from redis.asyncio import BlockingConnectionPool, Redis

from exchange.instruments import Instrument
from exchange.money import from_units, minor_step
from exchange.statement import OrderLine, RequestLine
from gateway.keys import TOP_LEVELS, Beat, CandleRow, GenerationKeys, Keys, MarketRow, TradeRow
from gateway.keys import BalanceRow as StoredBalance
from gateway.ports import ViewsUnavailable
from gateway.shown import (
    AccountShown,
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

BEAT_MAX_MS: Final = 3_000
"""A projector that has not been heard of for so long is taken to be down."""
TIMEOUT_S: Final = 2.0
CONNECTIONS_MAX: Final = 32
ATTEMPTS_MAX: Final = 5

T = TypeVar("T")
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

    def __init__(self, url: str, venue: str, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
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
        self._complete_ms: int | None = None

    async def close(self) -> None:
        """Give the connections up."""
        await self._redis.aclose(close_connection_pool=True)

    async def freshness(self) -> Freshness:
        """Say whether the views are those of now."""
        try:
            stored, generation = await self._redis.mget(self._keys.beat, self._keys.generation)
        except redis.RedisError:
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
        """Return the listed instruments by symbol: while they cannot be read, those that were, as a listing is for ever."""
        try:
            (stored,) = await self._read(lambda keys: [("hgetall", keys.instruments)])
        except ViewsUnavailable:
            if not self._instruments:
                raise
        else:
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
        """Return the best levels of each side."""
        instrument = await self._listed(symbol)
        if instrument is None:
            return None
        if levels <= TOP_LEVELS:
            (row,) = await self._read(lambda keys: [("get", keys.market(symbol))])
            if row is None:
                return None
            view = _market(row)
            return _depth(instrument, view, view.bids[:levels], view.asks[:levels])
        row, bids, asks = await self._read(
            lambda keys: [
                ("get", keys.market(symbol)),
                ("hgetall", keys.levels(symbol, "buy")),
                ("hgetall", keys.levels(symbol, "sell")),
            ]
        )
        if row is None:
            return None
        best_bids = sorted(((int(price), int(quantity)) for price, quantity in bids.items()), reverse=True)
        best_asks = sorted((int(price), int(quantity)) for price, quantity in asks.items())
        return _depth(instrument, _market(row), best_bids[:levels], best_asks[:levels])

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
        orders = sorted((_order(row) for row in open_rows), key=lambda line: line.order_id, reverse=True)
        return AccountShown(
            account=account,
            balances=[_balance_shown(asset.decode(), _balance(row), listed) for asset, row in sorted(balances.items())],
            open_orders=_orders(orders, listed),
            ended_orders=_orders([_order(row) for row in ended_rows if row is not None], listed),
        )

    async def order(self, account: str, order_id: int) -> OrderShown | None:
        """Return an order."""
        listed = await self.instruments()
        rows = await self._read(
            lambda keys: [
                ("hget", keys.open_orders(account), order_id),
                ("hget", keys.ended_orders(account), order_id),
            ]
        )
        shown = _orders([_order(row) for row in rows if row is not None], listed)
        return shown[0] if shown else None

    async def outcome(self, account: str, request_id: str) -> Outcome | None:
        """Return what became of a request."""
        stored, repeated = await self._read(
            lambda keys: [
                ("hget", keys.outcomes(account), request_id),
                ("hget", keys.repeats(account), request_id),
            ]
        )
        if stored is None:
            return None
        line = _request(stored)
        repeat = _request(repeated) if repeated is not None else None
        return Outcome(
            request_id=request_id,
            state="ACCEPTED" if line.reason is None else "REJECTED",
            reason=line.reason,
            order_id=line.order_id,
            repeat=repeat.reason if repeat and repeat.reason == "DUPLICATE" else None,
            time_ms=line.time_ms,
            seq=max(line.seq, repeat.seq if repeat else 0),
        )

    # Reading

    async def _listed(self, symbol: str) -> Instrument | None:
        """Return an instrument, which never changes once it is listed."""
        if symbol not in self._instruments:
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
                except redis.RedisError as error:
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
    change = percent = None
    if day and view.previous_close:
        moved = day.close - view.previous_close
        change = price(moved)
        percent = from_units(round(moved * 10_000 / view.previous_close), "0.01")
    bid, ask = view.bids[0] if view.bids else None, view.asks[0] if view.asks else None
    return Summary(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        tick=instrument.tick,
        lot=instrument.lot,
        seq=view.trades,
        time_ms=view.time_ms,
        last=price(day.close) if day else None,
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


def _scale(asset: str, listed: dict[str, Instrument]) -> int:
    for instrument in listed.values():
        if asset == instrument.base:
            return instrument.base_scale
        if asset == instrument.quote:
            return instrument.quote_scale
    return 0


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
