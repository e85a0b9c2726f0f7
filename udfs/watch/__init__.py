"""The machine of the `indicators` job: all that is computed of one symbol from its trades, its book and bars from outside.

Theory of operation: messages only change the parts (`trades`, `quotes`, `outside`); `finish`, after each packet, tells what has changed in them. What
is told are facts that replace each other (`exchange.analysis`), so that it makes no difference how the log was cut into packets, or how often it is read.
What is open may change with every packet and costs more to tell than to count: of it no more is told than a reader can follow, every `PACE_MS`. What
is left then is told by `closing`, for which the host sets a timer.
What a tick is worth is told by the book's snapshot, in another topic; trades of a listing that is not known yet wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from exchange import topics
from exchange.analysis import (
    Candle,
    EconomicIndicator,
    Fundamentals,
    Indicators,
    LateData,
    NewsSentiment,
    OutsideBar,
    OutsideQuote,
    SymbolSummary,
    WindowAverage,
    WindowProfit,
)
from exchange.channel import Inbound
from exchange.instruments import Instrument
from exchange.machine import Address, Entries
from exchange.messages import Bar, BookDelta, BookEvent, BookSnapshot, Resume, Trade
from exchange.packets import PacketDecoder
from udfs.series import BarOf
from udfs.watch.host import ClosingHost
from udfs.watch.outside import FUTURE_MAX_MS, OutsideWatch, flaw_of_bar, flaw_of_news
from udfs.watch.quotes import QuoteWatch
from udfs.watch.trades import TradeWatch
from udfs.watch.worth import Worth

Kept: TypeAlias = OutsideQuote | Fundamentals | EconomicIndicator
"""What is only kept in the log: nothing is computed of it."""
Input: TypeAlias = Trade | BookEvent | BookSnapshot | Bar | OutsideBar | NewsSentiment | Kept | Resume

GRACE_MS: Final = 1_000
"""How long after a span's end by the wall's clock it is told as closed, if no trade has closed it before."""
PACE_MS: Final = 50
"""Least time from one telling of what is open to the next, by the times at which the broker appended what is read."""
WAITING_MAX: Final = 100_000
"""Greatest number of messages that wait for the snapshot of their listing; more are refused."""
WAITING_PAGE: Final = 200
"""How many of them are stored together."""
CHANNELS_MAX: Final = 64
"""Greatest number of channels, one for each source of bars in ticks; a listing anew begins other series, but its channels stay."""

_TRADES, _BOOK = "trades", "book"
_IN_TICKS: Final = ("trades", "series", "day", "buckets", "bars", "settled")
"""How the entries begin that count in the ticks and lots of a listing."""
_TOPICS: Final[dict[type, str]] = {
    Candle: topics.CANDLES,
    Indicators: topics.INDICATORS,
    WindowAverage: topics.AVERAGES,
    WindowProfit: topics.PROFITS,
    SymbolSummary: topics.SUMMARIES,
    LateData: topics.LATE_DATA,
}


class Refused(msgspec.Struct):
    """A message that is refused, and why."""

    reason: str
    message: Any


class _Stored(msgspec.Struct, array_like=True):
    """What there is besides the parts' states. `since` is the first listing that counts as the present one does."""

    channels: dict[str, int]
    listing: int = 0
    since: int = 0
    instrument: Instrument | None = None
    trades: int = 0
    halted: bool = False
    quotes_from: int = 0
    """The book event from which on the book counts in the present ticks."""
    resumed: list[str] = []
    """Channels of which the next message counts, whatever its number; of the book's, the next snapshot."""
    passed_over: int = 0
    """The last book event that the machine passed over: a snapshot must have it in it."""
    told_ms: int = 0
    """When the packet was appended after which what is open was told last."""


class Watcher:
    """One symbol. `entries` are what `changes` returned so far, by name; with `closes` the wall's clock closes what has ended."""

    def __init__(
        self,
        symbol: str,
        lateness_ms: int,
        entries: Entries | None = None,
        *,
        pace_ms: int = PACE_MS,
        closes: bool = True,
    ) -> None:
        self.symbol = symbol
        self._lateness_ms = lateness_ms
        self._pace_ms = pace_ms
        self._closes = closes
        self._arrival_ms = 0
        self._takes: dict[type, Callable[[Any, int], list[Refused]]] = {
            Trade: self._trade,
            BookDelta: self._delta,
            Bar: self._bar,
            OutsideBar: self._outside_bar,
            NewsSentiment: self._news,
            **dict.fromkeys(get_args(Kept), _pass_over),
            BookSnapshot: self._snapshot,
            Resume: self._resume,
        }
        self._begin(entries or {})

    def _begin(self, entries: Entries) -> None:
        self._at = _decode(entries["watcher"]) if "watcher" in entries else _Stored({})
        self.inbound = Inbound(self._at.channels)
        self._worth = Worth.of(self._at.instrument) if self._at.instrument else None
        pages = sorted((name for name in entries if name.startswith("waiting ")), key=lambda name: int(name.split()[1]))
        self._waiting: list[Trade | Bar] = [one for name in pages for one in _decode_waiting(entries[name])]
        self._stored_waiting = len(self._waiting)
        self._waiting_pages = len(pages)
        self._names = set(entries)
        self._trades = TradeWatch(self.symbol, self._lateness_ms, entries)
        self._quotes = QuoteWatch(self.symbol, entries)
        self._outside = OutsideWatch(self.symbol, self._lateness_ms, entries)
        self._told_wall_ms = 0
        self._told_open = False
        self._wiped: set[str] = set()

    @property
    def halted(self) -> bool:
        """Whether a broken invariant has stopped it; it takes in nothing until it is resumed."""
        return self._at.halted

    @halted.setter
    def halted(self, value: bool) -> None:
        self._at.halted = value

    # In

    def accepts(self, message: Any) -> bool:
        """Say whether the message is of this symbol."""
        return (message.key if type(message) is Resume else message.symbol) == self.symbol

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message in; returns only refusals, for the rest is told by `finish`."""
        self._arrival_ms = arrival_ms
        if self._at.halted and type(message) is not Resume:
            if isinstance(message, BookEvent):
                self._at.passed_over = message.seq
            return []
        take = self._takes.get(type(message))
        if take is not None:
            return take(message, arrival_ms)
        self._admit(_BOOK, message.seq, arrival_ms)  # the book's other events are only numbered with its deltas
        return []

    def _admit(self, channel: str, seq: int, arrival_ms: int) -> bool:
        if self._at.resumed and channel in self._at.resumed:
            if channel == _BOOK:
                self._at.passed_over = seq
                return False
            self._at.resumed.remove(channel)
            self.inbound.counts[channel] = seq - 1
        return self.inbound.admit(channel, seq, arrival_ms)

    def _trade(self, trade: Trade, arrival_ms: int) -> list[Refused]:
        if not self._admit(_TRADES, trade.seq, arrival_ms):
            return []
        if self._waiting or trade.listing > self._at.listing:
            return self._wait(trade)
        self._count(trade)
        return []

    def _count(self, trade: Trade) -> None:
        """Let a trade count, unless it was made in other ticks or lots."""
        assert self._worth, "a listing is known with its instrument"
        self._at.trades = trade.seq
        if trade.listing >= self._at.since:
            self._trades.add(trade, self._worth)

    def _delta(self, delta: BookDelta, arrival_ms: int) -> list[Refused]:
        if self._admit(_BOOK, delta.seq, arrival_ms):
            self._quotes.add(delta, self._quotes_worth())
        return []

    def _outside_bar(self, bar: OutsideBar, arrival_ms: int) -> list[Refused]:
        reason = flaw_of_bar(bar, arrival_ms)
        return _refused(reason or self._outside.add(bar.source, bar.span_ms, _outside(bar)), bar)

    def _news(self, news: NewsSentiment, arrival_ms: int) -> list[Refused]:
        """Look at news only for what is wrong with them; the `signals` job reads the good ones."""
        return _refused(flaw_of_news(news, arrival_ms), news)

    def _bar(self, bar: Bar, arrival_ms: int) -> list[Refused]:
        channel, known = f"bars {bar.source}", self.inbound.counts
        if channel not in known and len(known) + len(self.inbound.holes) >= CHANNELS_MAX:
            return [Refused("TOO_MANY_SERIES", bar)]
        if not self._admit(channel, bar.seq, arrival_ms):
            return []
        if bar.start_ms > arrival_ms + FUTURE_MAX_MS:
            return [Refused("FUTURE", bar)]
        return self._count_bar(bar) if self._worth else self._wait(bar)

    def _count_bar(self, bar: Bar) -> list[Refused]:
        assert self._worth, "a bar in ticks waits until a tick's worth is known"
        price = self._worth.price
        prices = price(bar.open), price(bar.high), price(bar.low), price(bar.close)
        counted = BarOf(bar.start_ms, *prices, self._worth.quantity(bar.volume))
        return _refused(self._outside.add(bar.source, bar.span_ms, counted), bar)

    def _quotes_worth(self) -> Worth | None:
        """Return what the book's ticks are worth, unless it still has levels of a listing with others."""
        return self._worth if self.inbound.counts.get(_BOOK, 0) >= self._at.quotes_from else None

    # Listings

    def _wait(self, message: Trade | Bar) -> list[Refused]:
        if len(self._waiting) == WAITING_MAX:
            return [Refused("NO_LISTING", message)]
        self._waiting.append(message)
        return []

    def _snapshot(self, snapshot: BookSnapshot, _: int) -> list[Refused]:
        at = self._at
        if _BOOK in at.resumed and snapshot.delta >= at.passed_over:
            at.resumed.remove(_BOOK)
            self.inbound.counts[_BOOK] = snapshot.delta
            self._quotes.begin(snapshot)
        if snapshot.listing <= at.listing:
            return []
        worth = Worth.of(snapshot.instrument)
        if worth != self._worth:
            at.since, at.quotes_from = snapshot.listing, snapshot.delta
            if self._worth:
                self._start_anew()
        self._worth = worth
        at.listing, at.instrument = snapshot.listing, snapshot.instrument
        return self._count_waiting()

    def _count_waiting(self) -> list[Refused]:
        """Let those that waited count, up to the first trade of a later listing still."""
        waiting, self._waiting = self._waiting, []
        self._stored_waiting = 0
        refused: list[Refused] = []
        for message in waiting:
            if isinstance(message, Bar):
                refused += self._count_bar(message)
            elif self._waiting or message.listing > self._at.listing:
                self._waiting.append(message)
            else:
                self._count(message)
        return refused

    def _start_anew(self) -> None:
        """Let go of all that was counted in other ticks or lots; the book empties itself."""
        self._trades = TradeWatch(self.symbol, self._lateness_ms, {})
        self._outside = OutsideWatch(self.symbol, self._lateness_ms, {})
        self._wiped |= {name for name in self._names if name.split(" ", 1)[0] in _IN_TICKS}

    def _resume(self, _: Resume, __: int) -> list[Refused]:
        """Begin anew after a broken invariant: with the next trade, and with the next snapshot of the book. What is listed stays."""
        at = self._at
        if at.halted:
            names, worth = self._names, self._worth
            self._begin({})
            self._names, self._wiped, self._worth = names, set(names), worth
            channels = [_TRADES, _BOOK, *(name for name in at.channels if name not in (_TRADES, _BOOK))]
            self._at = replace(at, channels=self._at.channels, trades=0, halted=False, resumed=channels)
        return []

    # Out

    def finish(self) -> list[Any]:
        """Return what the messages since the last call have changed; of what is open, no more than the pace allows."""
        at, worth = self._at, self._worth
        self._trades.end_packet()
        self._told_wall_ms, self._told_open = 0, False  # what came may have ended by the wall's clock before it came
        if not self._is_due():
            return self._outside.publish()
        traded = self._trades.is_untold or self._trades.is_due
        if traded or self._quotes.is_untold:
            at.told_ms = self._arrival_ms
        out = self._trades.publish(at.listing, worth) if worth and traded else []
        quotes, moved = self._quotes.publish(self._quotes_worth())
        out += quotes
        if traded or moved:
            out += self._summary()
        return out + self._outside.publish()

    def _is_due(self) -> bool:
        """Say whether it is time to tell what is open."""
        passed_ms = self._arrival_ms - self._at.told_ms
        return not 0 <= passed_ms < self._pace_ms or self._trades.is_due or self._quotes.is_due

    def _open_ms(self) -> int | None:
        """Return when what is open and has not been told should be; None: there is no such thing."""
        is_untold = (self._worth and self._trades.is_untold) or self._quotes.is_untold
        return self._at.told_ms + self._pace_ms if is_untold and not self._told_open else None

    def _summary(self) -> list[SymbolSummary]:
        if self._worth is None:
            return []
        summary = self._trades.summary(self._at.listing, self._at.trades, self._quotes.best, self._worth)
        return [summary] if summary else []

    def closing(self, now_ms: int, *, is_quiet: bool) -> list[Any]:
        """Return what is open and has not been told and, when it is quiet, as closed what has ended by the wall's clock. It changes no state."""
        worth = self._worth
        self._told_open = True
        if worth is None or self._at.halted:
            return []
        out = self._trades.open(self._at.listing, worth)
        traded = bool(out)
        out += self._quotes.open(self._quotes_worth())
        moved = False
        if is_quiet and self._closes:
            self._told_wall_ms = now_ms
            out += self._trades.closing(self._at.listing, worth, now_ms)
            quotes, moved = self._quotes.closing(self._quotes_worth(), now_ms)
            out += quotes
        return out + self._summary() if traded or moved else out

    def deadline_ms(self) -> int | None:
        """Return when `closing` should be asked."""
        times = [self._open_ms()]
        if self._closes:
            ends = self._trades.next_end_ms(self._told_wall_ms), self._quotes.next_end_ms(self._told_wall_ms)
            times += [end_ms + GRACE_MS for end_ms in ends if end_ms is not None]
        return min((one for one in times if one is not None), default=None)

    def address(self, message: Any) -> Address:
        """Say where a message goes."""
        if type(message) is Refused:
            return topics.DEAD_LETTERS, self.symbol
        return _TOPICS[type(message)], self.symbol

    # As entries

    def changes(self) -> dict[str, str | None]:
        """Return the state entries that have changed since the last call."""
        found: dict[str, str | None] = dict.fromkeys(self._wiped)
        self._wiped.clear()
        self._at.channels = self.inbound.counts
        found["watcher"] = msgspec.json.encode(self._at).decode()
        self._trades.changes(found)
        self._quotes.changes(found)
        self._outside.changes(found)
        self._waiting_changes(found)
        for name, text in found.items():
            if text is None:
                self._names.discard(name)
            else:
                self._names.add(name)
        return found

    def _waiting_changes(self, found: dict[str, str | None]) -> None:
        """Add the pages of waiting messages that have changed."""
        waiting, stored = self._waiting, self._stored_waiting
        if stored < len(waiting):
            for start in range(stored - stored % WAITING_PAGE, len(waiting), WAITING_PAGE):
                page = msgspec.json.encode(waiting[start : start + WAITING_PAGE]).decode()
                found[f"waiting {start // WAITING_PAGE}"] = page
        pages = -(-len(waiting) // WAITING_PAGE)
        found |= {f"waiting {number}": None for number in range(pages, self._waiting_pages)}
        self._stored_waiting, self._waiting_pages = len(waiting), pages

    def discard(self) -> None:
        """Let go of the working form, which points to itself."""
        self._takes.clear()


_decode = msgspec.json.Decoder(_Stored).decode
_decode_waiting = msgspec.json.Decoder(list[Trade | Bar]).decode
decode_input: PacketDecoder[Any] = PacketDecoder(Input)


def watch_host(lateness_ms: int, *, pace_ms: int = PACE_MS, closes: bool = True) -> ClosingHost:
    """Return a host for the symbols of a venue; `closes` where the wall's clock is the market's, too."""
    return ClosingHost(
        lambda symbol, entries: Watcher(symbol, lateness_ms, entries, pace_ms=pace_ms, closes=closes), decode_input
    )


def _pass_over(_: Kept, __: int) -> list[Refused]:
    return []


def _refused(reason: str | None, message: Any) -> list[Refused]:
    return [Refused(reason, message)] if reason else []


def _outside(bar: OutsideBar) -> BarOf:
    return BarOf(bar.time_ms, bar.open, bar.high, bar.low, bar.close, bar.volume)
