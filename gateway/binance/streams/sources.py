"""What streams read: each source tells of one symbol what is new since it was asked last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from exchange.candles import DAY_MS
from gateway.binance import tickers
from gateway.binance.intervals import Interval
from gateway.binance.klines import Kline, after, changeable, ended
from gateway.binance.market_reads import read_each, read_klines, read_window
from gateway.binance.streams import shapes
from gateway.binance.streams.feed import Lost, Source, Told
from gateway.binance.streams.names import Stream
from gateway.binance.trade_shapes import aggregates
from gateway.keys import TRADES_MAX
from gateway.ports import Views
from gateway.shown import Market, TradeShown

RECENT: Final = 50
"""So many of the newest trades are read first, and all only if these do not reach back far enough."""
KLINES: Final = 1_000
"""Greatest number of klines that are told together."""
SETTLING_MS: Final = 1_000
"""How long after its end, by the market's time, a kline is closed that no candle has passed. Book events, trades and what is computed of
them come by topics of their own, a little apart."""
MISSED: Final = "events were missed and cannot be sent in full: connect again"

Clock = Callable[[], int]


class DepthSource:
    """Tells how a book changes, from the state that it had when first asked."""

    shows_state = False

    def __init__(self, views: Views, symbol: str, now_ms: Clock) -> None:
        self._views, self._symbol, self._now_ms = views, symbol, now_ms
        self._seq: int | None = None

    async def read(self) -> Told:
        """Return how the book has changed, if it has."""
        if self._seq is None:
            depth = await self._views.depth(self._symbol, 1)
            self._seq = None if depth is None else depth.seq
            return []
        change = await self._views.book_change(self._symbol, self._seq)
        if change is None or (change.seq == self._seq and change.complete):
            return []
        if not change.complete:
            self._seq = None
            raise Lost(MISSED)
        after, self._seq = self._seq, change.seq
        return [("", shapes.depth_update(self._symbol, change, after, self._now_ms()))]


class TopSource:
    """Shows the best prices of a book: `levels` of each side, or only the best as a book ticker."""

    shows_state = True

    def __init__(self, views: Views, symbol: str, levels: int) -> None:
        self._views, self._symbol, self._levels = views, symbol, levels
        self._told: dict[str, Any] = {}

    async def read(self) -> Told:
        """Return the best prices, if they are others."""
        depth = await self._views.depth(self._symbol, self._levels or 1)
        if depth is None:
            return []
        shown = shapes.partial_depth(depth) if self._levels else shapes.book_ticker(depth)
        number = "lastUpdateId" if self._levels else "u"
        if {**shown, number: 0} == {**self._told, number: 0}:
            return []
        self._told = shown
        return [("top", shown)]


class TradesSource:
    """Tells of each trade after the newest one that there was when first asked; `together`: of those of one taker at one price at once."""

    shows_state = False

    def __init__(self, views: Views, symbol: str, now_ms: Clock, *, together: bool) -> None:
        self._views, self._symbol, self._now_ms, self._together = views, symbol, now_ms, together
        self._seq: int | None = None

    async def read(self) -> Told:
        """Return the new trades, in order and without a gap."""
        if self._seq is None:
            self._seq = await self._newest()
            return []
        newest = await self._views.trades(self._symbol, RECENT) or []
        if len(newest) == RECENT and newest[-1].seq > self._seq + 1:
            newest = await self._views.trades(self._symbol, TRADES_MAX) or []
        new = [trade for trade in reversed(newest) if trade.seq > self._seq]
        if not new:
            return []
        gapless = new[0].seq == self._seq + 1 and new[-1].seq - new[0].seq + 1 == len(new)
        self._seq = new[-1].seq
        if not gapless:
            raise Lost(MISSED)
        return [("", told) for told in self._shown(new)]

    async def _newest(self) -> int | None:
        """Return the number of the newest trade, None if there is no market. A listing in other ticks shows no older trades, and counts on."""
        market = await self._views.market(self._symbol, "1d", levels=1, trades=1, candles=1)
        if market is None:
            return None
        return market.trades[0].seq if market.trades else market.summary.seq

    def _shown(self, trades: list[TradeShown]) -> list[dict[str, Any]]:
        event_ms = self._now_ms()
        if self._together:
            return [shapes.aggregate(self._symbol, one.row, event_ms) for one in aggregates(trades)]
        return [shapes.trade(self._symbol, trade, event_ms) for trade in trades]


class KlineSource:
    """Tells of each kline that is other than it was, from the first one on that may still change.

    Candles follow the book by some hundred milliseconds, so when an interval has ended its kline goes on changing for as long. It is
    told as closed once nothing can come any more: its candles are closed or later ones are there, or all trades have been counted.
    """

    shows_state = True

    def __init__(self, views: Views, symbol: str, interval: str, now_ms: Clock) -> None:
        self._views, self._symbol, self._now_ms = views, symbol, now_ms
        self._interval = Interval(interval)
        self._told: dict[int, Kline] = {}
        """The last klines that were told, by opening: those that may still change."""

    async def read(self) -> Told:
        """Return the klines that have changed since, as REST has them, in their order."""
        klines = await self._klines()
        waiting = next((kline for kline in klines[:-1] if not kline.closed), None)
        if waiting is not None:
            counted_ms = await self._counted_ms()
            if waiting.close_ms < counted_ms:
                # Candles are read again: those that were read before may lack some of the trades that are counted.
                klines = ended(await self._klines(), counted_ms)
        new = [kline for kline in klines if kline != self._told.get(kline.open_ms)]
        if klines:
            self._told = {kline.open_ms: kline for kline in changeable(klines)}
        name, event_ms = self._interval.name, self._now_ms()
        return [(str(kline.open_ms), shapes.kline(self._symbol, name, kline, event_ms)) for kline in new]

    async def _klines(self) -> list[Kline]:
        """Return the klines from the first one on that may still change; of the first time the last one."""
        limit, start_ms = (KLINES, min(self._told)) if self._told else (1, None)
        klines = await read_klines(self._views, self._symbol, self._interval, limit, start_ms) or []
        return [after(kline, self._told.get(kline.open_ms)) for kline in klines]

    async def _counted_ms(self) -> int:
        """Return a time, by the market's clock, up to which all trades are in the candles that are read after this; 0: not known."""
        market = await self._views.market(self._symbol, "1d", levels=1, trades=1, candles=1)
        analysis = await self._views.analytics.summary(self._symbol)
        if market is None or analysis is None or analysis.seq < market.summary.seq:
            return 0
        return market.summary.time_ms - SETTLING_MS


class TickerSource:
    """Shows what was traded in the last 24 hours (or for `avgPrice` in some minutes) of one symbol, or of all that have changed together."""

    shows_state = True

    def __init__(self, views: Views, stream: Stream, now_ms: Clock) -> None:
        self._views, self._stream, self._now_ms = views, stream, now_ms
        self._told: dict[str, dict[str, Any]] = {}

    async def read(self) -> Told:
        """Return the figures that are others; of one symbol as they are, of all as a list."""
        listed, name = await self._views.instruments(), self._stream.symbol
        instruments = list(listed.values()) if not name else [listed[name]] if name in listed else []
        span_ms = tickers.AVERAGE_MINUTES * tickers.MINUTE_MS if self._stream.kind == "avgPrice" else DAY_MS
        scales = {instrument.symbol: instrument.quote_scale for instrument in instruments}
        found = await read_each(lambda symbol: read_window(self._views, symbol, span_ms, scales[symbol]), list(scales))
        new = []
        for market, window in found:
            symbol = market.summary.symbol
            figures = self._figures(market, window)
            if figures != self._told.get(symbol):
                self._told[symbol] = figures
                new.append({"e": figures["e"], "E": self._now_ms(), "s": symbol, **figures})
        if not name:
            return [("", new)] if new else []
        return [("now", figures) for figures in new]

    def _figures(self, market: Market, window: tickers.Window) -> dict[str, Any]:
        match self._stream.kind:
            case "avgPrice":
                return shapes.average_price(
                    market, tickers.weighted(window, market.summary.tick), tickers.AVERAGE_MINUTES
                )
            case "miniTicker":
                return shapes.mini_ticker(tickers.mini(market.summary, window))
            case _:
                newest = market.trades[0] if market.trades else None
                return shapes.ticker(tickers.day_full(market.summary, window, newest))


def source_of(views: Views, now_ms: Clock) -> Callable[[Stream], Source]:
    """Return what makes the source of a stream."""

    def source(stream: Stream) -> Source:
        match stream.kind:
            case "depth":
                return DepthSource(views, stream.symbol, now_ms)
            case "partial" | "bookTicker":
                return TopSource(views, stream.symbol, stream.levels)
            case "trade" | "aggTrade":
                return TradesSource(views, stream.symbol, now_ms, together=stream.kind == "aggTrade")
            case "kline":
                return KlineSource(views, stream.symbol, stream.interval, now_ms)
            case "ticker" | "miniTicker" | "avgPrice":
                return TickerSource(views, stream, now_ms)
            case kind:
                raise AssertionError(f"a stream of the kind {kind!r} has no source")

    return source
