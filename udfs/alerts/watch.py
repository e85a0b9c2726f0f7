"""What a symbol, or an account shard, is watched for: a machine that tells which alerts a new fact sets off.

Theory of operation: of each number that alerts can be about, the last one is kept, with its version. A newer fact replaces it, and sets off
the alerts whose level lies between the two; the first of all, and one that is not newer, set off none. So an alert is told when its condition
becomes true, not while it stays so; one that is set while its condition holds waits until it has ceased to; and whoever sets one need not
wait for a first observation. Signals and fills are events: each sets off all alerts that ask for it, once.

Besides the facts, only cool-downs are stored. An event is named by the fact that made it, so that after a restore the same fact makes the same event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, TypeAlias, get_args
from zlib import crc32

import msgspec

from exchange import analysis as a
from exchange import topics
from exchange.channel import Inbound
from exchange.machine import Address, Entries
from exchange.messages import OrderFilled, OrderReport
from exchange.packets import PacketDecoder, encode
from udfs.alerts import words
from udfs.alerts.watchlist import Watchlist

PRICE_SPAN_MS: Final = 60_000
"""The last price is the close of the newest candle of this span, open or not."""
VOLUMES: Final = 20
"""A candle's volume is compared with the average of so many before it; until there are as many, with nothing."""

_Fact: TypeAlias = list[Any]
"""A version, itself a list, and what is known since."""

_REPORTS: Final = frozenset(get_args(OrderReport))
_ANALYSIS: Final = a.Candle | a.Indicators | a.SymbolSummary | a.Signal | a.SignalOutcome
_name = msgspec.json.Decoder(tuple[str | int, ...]).decode
_read = msgspec.json.decode

decode_facts: PacketDecoder[Any] = PacketDecoder(_ANALYSIS | OrderReport)
"""Reads all that alerts can be about."""


class AlertWatch:
    """The last facts of one key, a symbol or an account shard, and the cool-downs of alerts that were told of it."""

    def __init__(self, key: str, watchlist: Watchlist, entries: Entries | None = None) -> None:
        self.halted = False
        self._key = key
        self._watchlist = watchlist
        self._facts: dict[tuple[str | int, ...], Any] = {
            _name(name): _read(text) for name, text in (entries or {}).items()
        }
        self._told = {name for name in self._facts if name[0] == "told"}
        self._changed: set[tuple[str | int, ...]] = set()
        self._removals = -1
        self._arrival_ms = 0
        self.inbound = Inbound(self._facts.setdefault(("reports",), {}))
        self._alerts: list[a.Alert] = []
        self._take: dict[type, Callable[[Any], None]] = {
            a.Candle: self._candle,
            a.Indicators: self._indicators,
            a.SymbolSummary: self._summary,
            a.Signal: self._signal,
            OrderFilled: self._fill,
        }

    def accepts(self, message: Any) -> bool:
        """Say whether the message belongs under this key."""
        owner = message.source if type(message) in _REPORTS else message.symbol
        return bool(owner == self._key)

    def apply(self, message: Any, arrival_ms: int) -> list[Any]:
        """Take one message and return the alerts that it sets off."""
        kind = type(message)
        if kind in _REPORTS:
            if not self.inbound.admit(message.source, message.seq, arrival_ms):
                return []
            self._changed.add(("reports",))
        take = self._take.get(kind)
        if take is None or self.halted:
            return []
        if self._removals != self._watchlist.removals:
            self._forget()
        self._arrival_ms = arrival_ms
        take(message)
        alerts, self._alerts = self._alerts, []
        return alerts

    def address(self, message: Any) -> Address:
        """Say where an alert goes: to its account."""
        return topics.ALERTS, message.account

    def changes(self) -> dict[str, str | None]:
        """Return the entries that changed since the last call; None for one that is gone.

        A packet that broke an invariant is left out as a whole; the next one counts again.
        """
        self.halted = False
        changed: dict[str, str | None] = {}
        for name in sorted(self._changed, key=str):
            fact = self._facts.get(name)
            changed[encode(name).decode()] = None if fact is None else encode(fact).decode()
        self._changed.clear()
        return changed

    def discard(self) -> None:
        """Nothing is held but memory."""

    def deadline_ms(self) -> int | None:
        """Nothing is waited for."""
        return None

    # Facts

    def _indicators(self, told: a.Indicators) -> None:
        if told.source == a.TRADES_SOURCE and told.span_ms == PRICE_SPAN_MS:
            self._price(told)
        if told.closed:
            self._values(told)

    def _price(self, told: a.Indicators) -> None:
        now = words.tidy(told.close)
        before = self._follow(("price",), [told.start_ms, told.version], now)
        if before is None or before == now:
            return
        way = "up" if before < now else "down"
        time_ms = told.start_ms + told.span_ms if told.closed else told.start_ms
        event = f"price {told.symbol} {told.start_ms} {told.version}"
        for rule in self._watchlist.reached(f"price {way}", told.symbol, before=before, now=now):
            level = rule.condition.price  # type: ignore[union-attr]
            self._tell(rule, event, told.symbol, time_ms, words.crossed(told, level, before, now))

    def _summary(self, summary: a.SymbolSummary) -> None:
        now = words.tidy(abs(summary.change) * 100)
        session = summary.trades - summary.session.trades  # how many trades came before it names it
        known = self._follow(("change",), [summary.listing, summary.trades, summary.time_ms], [session, now])
        if known is None:
            return
        before = known[1] if known[0] == session else 0.0
        if before >= now:
            return
        event = f"change {summary.symbol} {summary.trades} {summary.time_ms}"
        for rule in self._watchlist.reached("change", summary.symbol, before=before, now=now):
            percent = rule.condition.percent  # type: ignore[union-attr]
            self._tell(rule, event, summary.symbol, summary.time_ms, words.changed(summary, percent))

    def _values(self, told: a.Indicators) -> None:
        before = self._follow(("closed", told.span_ms, told.source), [told.start_ms, told.version], told.values)
        series, time_ms = (told.symbol, told.source, told.span_ms), told.start_ms + told.span_ms
        for name in told.values if before else ():
            was, now = before.get(name), told.values[name]
            if was is None or was == now:
                continue
            direction = "above" if was < now else "below"
            event = f"indicator {told.symbol} {told.source} {told.span_ms} {told.start_ms} {name}"
            for rule in self._watchlist.passed(direction, *series, name, before=was, now=now):
                level = rule.condition.value  # type: ignore[union-attr]
                self._tell(rule, event, told.symbol, time_ms, words.got(told, name, direction, level))

    def _candle(self, candle: a.Candle) -> None:
        """Compare a closed candle with those before it. They are kept even if nobody watches, so that a new alert need not wait for 20 more."""
        if not candle.closed:
            return
        name = ("volumes", candle.span_ms)
        listing, volumes = self._facts.get(name) or (candle.listing, [])
        if listing > candle.listing:
            return
        if listing < candle.listing:  # a lot may be another one
            volumes = []
        before = _times(volumes) or 0.0
        if not _put(volumes, [candle.start_ms, candle.volume, candle.trades]):
            return
        self._keep(name, [candle.listing, volumes])
        now = _times(volumes)
        if now is None or now <= before or volumes[-1][0] != candle.start_ms:
            return
        event = f"candle {candle.symbol} {candle.span_ms} {candle.start_ms}"
        text = words.traded(candle, now, candle.volume / now)
        for rule in self._watchlist.reached("volume", candle.symbol, candle.span_ms, before=before, now=now):
            self._tell(rule, event, candle.symbol, candle.start_ms + candle.span_ms, text)

    # Events

    def _signal(self, signal: a.Signal) -> None:
        name = ("signal", signal.span_ms, signal.source, signal.rule)
        if signal.start_ms <= self._facts.get(name, -1):
            return
        self._keep(name, signal.start_ms)
        event = f"signal {signal.symbol} {signal.source} {signal.span_ms} {signal.start_ms} {signal.rule}"
        for rule in self._watchlist.all("signal", signal.symbol, signal.rule):
            wanted = rule.condition.action  # type: ignore[union-attr]
            if signal.action == wanted or (wanted is None and signal.action != "HOLD"):
                self._tell(rule, event, signal.symbol, signal.time_ms, words.signalled(signal))

    def _fill(self, fill: OrderFilled) -> None:
        event = f"filled {fill.symbol} {fill.trade} {fill.order_id}"
        for rule in self._watchlist.all("filled", fill.account):
            if rule.symbol in (None, fill.symbol):
                self._tell(rule, event, fill.symbol, fill.time_ms, words.filled(fill))

    # What is kept

    def _keep(self, name: tuple[str | int, ...], fact: Any) -> None:
        self._facts[name] = fact
        self._changed.add(name)

    def _follow(self, name: tuple[str | int, ...], version: list[int], fact: Any) -> Any:
        """Keep a fact if it is newer than the one known, and return that one; None if there was none, or it is as new."""
        known: _Fact | None = self._facts.get(name)
        if known is not None and version <= known[0]:
            return None
        self._keep(name, [version, fact])
        return None if known is None else known[1]

    def _tell(self, rule: a.SetAlert, event: str, symbol: str, time_ms: int, text: str) -> None:
        """Tell an account, unless the alert was set after the fact had been written to the log, or is cooling down."""
        if self._watchlist.since_ms(rule) > self._arrival_ms:
            return
        if rule.cool_down_ms:
            name, mark = ("told", rule.account, rule.alert), _mark(rule)
            told = self._facts.get(name)
            if told is not None and told[0] == mark and time_ms < told[1] + rule.cool_down_ms:
                return
            self._keep(name, [mark, time_ms])
            self._told.add(name)
        self._alerts.append(
            a.Alert(
                account=rule.account, alert=rule.alert, event=event, symbol=symbol, time_ms=time_ms, text=text,
                channels=rule.channels, email=rule.email, webhook=rule.webhook,
            )
        )  # fmt: skip

    def _forget(self) -> None:
        """Let go of the cool-downs of alerts that are gone, or are others now."""
        self._removals = self._watchlist.removals
        for name in list(self._told):
            rule = self._watchlist.get(*name[1:])  # type: ignore[arg-type]
            if rule is None or _mark(rule) != self._facts[name][0]:
                self._told.discard(name)
                del self._facts[name]
                self._changed.add(name)


def _mark(rule: a.SetAlert) -> int:
    """Return what tells an alert from another of its name."""
    return crc32(encode(rule))


def _times(volumes: list[list[int]]) -> float | None:
    """Return how many times the average before it the last volume is, or None while there are too few."""
    if len(volumes) <= VOLUMES:
        return None
    return volumes[-1][1] * VOLUMES / sum(volume for _, volume, _ in volumes[-VOLUMES - 1 : -1])


def _put(volumes: list[list[int]], row: list[int]) -> bool:
    """Put a candle's (start, volume, trades) in its place, instead of an older version of it; say whether anything changed."""
    place = bisect_left(volumes, row[0], key=itemgetter(0))
    if place < len(volumes) and volumes[place][0] == row[0]:
        if row[2] <= volumes[place][2]:
            return False
        volumes[place] = row
    elif place == 0 and len(volumes) > VOLUMES:
        return False
    else:
        volumes.insert(place, row)
        del volumes[: -VOLUMES - 1]
    return True
