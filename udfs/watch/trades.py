"""What one symbol's trades come to: candles, their indicators, window profits and the summary.

Theory of operation: trades go to the tape; `publish` tells what they have changed since the last time and settles what can no longer change. Until then
no more than the open candles may be out of date: `is_due` says when it is more. `open` tells these, and `closing` what the wall's clock has
closed; both change nothing, for it will be told again, alike, when the symbol's own clock gets there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from exchange.analysis import (
    TRADES_SOURCE,
    Candle,
    Indicators,
    LateData,
    Method,
    SymbolSummary,
    WindowAverage,
    WindowProfit,
)
from exchange.candles import SPANS
from exchange.messages import Trade
from udfs.candles import Part, SpanCandles, Tape
from udfs.packed import pack, unpacker
from udfs.series import BarOf, Settling, Valued
from udfs.watch.day import Day, totals
from udfs.watch.windows import HoppingWindows, VwapBuckets, Window
from udfs.watch.worth import Worth

STUDIED: Final = tuple(span_ms for name, span_ms in SPANS.items() if name != "1s")
"""The spans of which indicators are computed."""
_SECOND: Final = SPANS["1s"]
_MINUTE: Final = SPANS["1m"]
_HOPPING: Final[Method] = "hopping-10m-5m"
_BUCKETS: Final[Method] = "vwap-5m"


class _Stored(msgspec.Struct, array_like=True):
    """What changes with every trade."""

    tape: Tape
    told_ms: int
    accepted: int
    late: int
    hopping: HoppingWindows
    profit: float | None
    volatility: float | None
    before: int | None = None
    """The number of the trade before the first that counts: versions go on from there, as there may be facts of it."""
    profit_end_ms: int = 0
    """The end of the window that `profit` is of."""


class TradeWatch:
    """The trades of one symbol that count in the same ticks and lots."""

    def __init__(self, symbol: str, lateness_ms: int, entries: Mapping[str, str]) -> None:
        self.symbol = symbol
        text = entries.get("trades")
        self._at = _decode(text) if text else _Stored(Tape.begin(lateness_ms), 0, 0, 0, HoppingWindows(), None, None)
        self._at.tape.lateness_ms = lateness_ms
        self._series = {
            span_ms: Settling.restored(entries[_series_entry(span_ms)])
            for span_ms in STUDIED
            if _series_entry(span_ms) in entries
        }
        self._day = _unpack_day(entries["day"]) if "day" in entries else Day()
        self._buckets = _decode_buckets(entries["buckets"]) if "buckets" in entries else VwapBuckets()
        self._spans = {span.span_ms: span for span in self._at.tape.spans}
        self._changed: set[str] = set()
        self._late: list[LateData] = []
        self._is_corrected = False

    # In

    def add(self, trade: Trade, worth: Worth) -> None:
        """Take in the next trade."""
        at = self._at
        self._changed.add("trades")
        if at.before is None:
            at.before = at.accepted = trade.seq - 1
        if trade.time_ms < at.told_ms - at.told_ms % _SECOND:
            self._is_corrected = True
        if at.tape.add(trade.time_ms, trade.price, trade.quantity):
            at.accepted += 1
        else:
            at.late += 1
            self._late.append(
                LateData(
                    symbol=self.symbol,
                    source=TRADES_SOURCE,
                    time_ms=trade.time_ms,
                    clock_ms=at.tape.settled_ms,
                    price=worth.price(trade.price),
                    volume=worth.quantity(trade.quantity),
                    late=at.late,
                )
            )

    @property
    def clock_ms(self) -> int:
        """The greatest time of a trade."""
        return self._at.tape.clock_ms

    def end_packet(self) -> None:
        """Merge what a packet's trades come to into the candles."""
        self._at.tape.flush()

    # Out

    @property
    def is_untold(self) -> bool:
        """Whether there are trades that have not been told."""
        return self._at.tape.spans[0].changed_ms is not None

    @property
    def is_due(self) -> bool:
        """Whether these trades have changed more than the open candles."""
        at = self._at
        return self._is_corrected or bool(self._late) or at.told_ms // _SECOND != at.tape.clock_ms // _SECOND

    def publish(self, listing: int, worth: Worth) -> list[Any]:
        """Return what the trades since the last call have changed, and settle what can no longer change."""
        self._changed.add("trades")
        at, tape = self._at, self._at.tape
        out: list[Any] = []
        for span_ms, span in self._spans.items():
            candles = span.since(at.told_ms)
            out += [_candle(self.symbol, span_ms, one, listing, closes=tape.clock_ms) for one in candles]
            if span_ms in STUDIED and candles and self._studies(span, candles):
                out += self._studied(span_ms, candles[0].start_ms, worth)
        out += self._windows(worth)
        out += self._late
        self._late = []
        self._is_corrected = False
        self._settle(worth)
        return out

    def _studied(self, span_ms: int, from_ms: int, worth: Worth) -> list[Indicators]:
        """Return the indicators of a span's candles from one on, by the symbol's clock."""
        told = self._after(span_ms, self._spans[span_ms].candles, from_ms, worth)
        if span_ms == _MINUTE:
            self._at.volatility = told[-1].values.get("volatility(20)")
        return [self._indicators(span_ms, one, self.clock_ms) for one in told]

    def open(self, listing: int, worth: Worth) -> list[Any]:
        """Return the open candles, and the indicators of the minute; nothing if `publish` has told them."""
        if not self.is_untold:
            return []
        last = [(span_ms, span.candles[-1]) for span_ms, span in self._spans.items()]
        candles = [_candle(self.symbol, span_ms, one, listing, closes=self.clock_ms) for span_ms, one in last]
        return [*candles, *self._studied(_MINUTE, self._spans[_MINUTE].candles[-1].start_ms, worth)]

    def _studies(self, span: SpanCandles, candles: list[Part]) -> bool:
        """Say whether indicators of a span are due: long spans' open candles only once a minute."""
        at = self._at
        minute_over = at.told_ms // _MINUTE != at.tape.clock_ms // _MINUTE
        return span.span_ms == _MINUTE or minute_over or len(candles) > 1

    def _windows(self, worth: Worth) -> list[Any]:
        at = self._at
        minutes, fives = self._spans[_MINUTE], self._spans[SPANS["5m"]]
        at.hopping.touch(minutes.since(at.told_ms))
        out: list[Any] = []
        for window in at.hopping.take(at.tape.clock_ms, minutes.candles):
            if window.end_ms >= at.profit_end_ms:
                at.profit, at.profit_end_ms = worth.price(window.profit), window.end_ms
            out += self._told(_HOPPING, window, worth)
        changed = fives.since(at.told_ms)
        if changed:
            for window in self._buckets.ended(at.tape.clock_ms, fives.candles, changed[0].start_ms):
                out += self._told(_BUCKETS, window, worth)
        return out

    def _settle(self, worth: Worth) -> None:
        """Settle the candles that no trade can change any more."""
        at = self._at
        settled_ms = at.tape.settled_ms
        for span_ms, span in self._spans.items():
            span.changed_ms = None
            gone = span.settle(settled_ms)
            if gone and span_ms in STUDIED:
                self._settled(span_ms, gone, settled_ms, worth)
        at.told_ms = at.tape.clock_ms

    def _settled(self, span_ms: int, gone: list[Part], settled_ms: int, worth: Worth) -> None:
        series = self._series_of(span_ms)
        for candle in gone:
            series.settle(_bar(candle, worth))
        self._changed.add(_series_entry(span_ms))
        if span_ms == _MINUTE:
            self._at.hopping.settle(gone, settled_ms)
        elif span_ms == SPANS["5m"]:
            self._buckets.settle(gone)
            self._changed.add("buckets")
        elif span_ms == SPANS["15m"]:
            self._day.settle_quarters(gone, self.clock_ms)
            self._changed.add("day")
        elif span_ms == SPANS["1d"]:
            self._day.settle_days(gone)
            self._changed.add("day")

    def summary(
        self, listing: int, number: int, best: tuple[int | None, int | None], worth: Worth
    ) -> SymbolSummary | None:
        """Return how the symbol does; `number` is that of its last trade, `best` its best bid and ask. None: nothing has been traded."""
        at = self._at
        days = self._spans[SPANS["1d"]].candles
        if not days:
            return None
        session = days[-1]
        previous_close = days[-2].close if len(days) > 1 else self._day.previous_close
        day = self._day.last(self.clock_ms, self._spans[SPANS["15m"]].candles)
        return SymbolSummary(
            symbol=self.symbol,
            time_ms=self.clock_ms,
            trades=number,
            listing=listing,
            session=totals(session),
            day=day,
            turnover=worth.cash(session.turnover),
            change=session.close / (previous_close or session.open) - 1,
            change_24h=day.close / day.open - 1,
            previous_close=previous_close,
            bid=best[0],
            ask=best[1],
            volatility=at.volatility,
            profit=at.profit,
            late=at.late,
        )

    # What the wall's clock closes

    def closing(self, listing: int, worth: Worth, now_ms: int) -> Iterator[Any]:
        """Yield, as closed, what is open by the symbol's clock and has ended by the wall's."""
        at = self._at
        for span_ms, span in self._spans.items():
            last = span.candles[-1] if span.candles else None
            if last is None or not self.clock_ms < last.start_ms + span_ms <= now_ms:
                continue
            yield _candle(self.symbol, span_ms, last, listing, closes=now_ms)
            if span_ms in STUDIED:
                for one in self._after(span_ms, span.candles, last.start_ms, worth):
                    yield self._indicators(span_ms, one, now_ms)
        for window in at.hopping.ended(now_ms, self._spans[_MINUTE].candles):
            yield from self._told(_HOPPING, window, worth)
        fives = self._spans[SPANS["5m"]].candles
        if fives and self.clock_ms < fives[-1].start_ms + SPANS["5m"] <= now_ms:
            for window in self._buckets.ended(now_ms, fives, fives[-1].start_ms):
                yield from self._told(_BUCKETS, window, worth)

    def next_end_ms(self, after_ms: int) -> int | None:
        """Return the first time after `after_ms` and the symbol's clock at which something ends."""
        after_ms = max(after_ms, self.clock_ms)
        ends = [span.candles[-1].start_ms + span.span_ms for span in self._spans.values() if span.candles]
        return min((end_ms for end_ms in [*ends, *self._at.hopping.due] if end_ms > after_ms), default=None)

    def _series_of(self, span_ms: int) -> Settling:
        """Return the series of a span, which begins with its first use: many symbols are never traded."""
        series = self._series.get(span_ms)
        if series is None:
            series = self._series[span_ms] = Settling(version=self._at.before or 0)
        return series

    # As messages

    def _after(self, span_ms: int, candles: list[Part], from_ms: int, worth: Worth) -> list[Valued]:
        return self._series_of(span_ms).after([_bar(one, worth) for one in candles], from_ms)

    def _indicators(self, span_ms: int, told: Valued, clock_ms: int) -> Indicators:
        return indicators(self.symbol, TRADES_SOURCE, span_ms, told, closed=told.bar.start_ms + span_ms <= clock_ms)

    def _told(self, method: Method, window: Window, worth: Worth) -> Iterator[WindowAverage | WindowProfit]:
        for kind, name, ticks in ((WindowAverage, "average", window.average), (WindowProfit, "profit", window.profit)):
            told: dict[str, Any] = {name: worth.price(ticks)}
            yield kind(
                symbol=self.symbol,
                method=method,
                start_ms=window.start_ms,
                end_ms=window.end_ms,
                version=self._at.accepted,
                **told,
            )

    # As entries

    def changes(self, into: dict[str, str | None]) -> None:
        """Add the state entries that have changed since the last call."""
        for name in self._changed:
            into[name] = self._text(name)
        self._changed.clear()

    def _text(self, name: str) -> str:
        if name == "trades":
            return msgspec.json.encode(self._at).decode()
        if name == "day":
            return pack(self._day)
        if name == "buckets":
            return msgspec.json.encode(self._buckets).decode()
        return self._series[int(name.split()[1])].text()


_decode = msgspec.json.Decoder(_Stored).decode
_unpack_day = unpacker(Day)
_decode_buckets = msgspec.json.Decoder(VwapBuckets).decode


def indicators(symbol: str, source: str, span_ms: int, told: Valued, *, closed: bool) -> Indicators:
    """Return a bar and its indicators as they are told."""
    bar = told.bar
    return Indicators(
        symbol=symbol,
        source=source,
        span_ms=span_ms,
        start_ms=bar.start_ms,
        version=told.version,
        bars=told.bars,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        values=told.values,
        closed=closed,
    )


def _series_entry(span_ms: int) -> str:
    return f"series {span_ms}"


def _bar(candle: Part, worth: Worth) -> BarOf:
    price = worth.price
    return BarOf(
        candle.start_ms,
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        worth.quantity(candle.volume),
        candle.trades,
    )


def _candle(symbol: str, span_ms: int, part: Part, listing: int, *, closes: int) -> Candle:
    return Candle(
        symbol=symbol,
        span_ms=span_ms,
        start_ms=part.start_ms,
        open=part.open,
        high=part.high,
        low=part.low,
        close=part.close,
        volume=part.volume,
        turnover=part.turnover,
        trades=part.trades,
        listing=listing,
        closed=part.start_ms + span_ms <= closes,
    )
