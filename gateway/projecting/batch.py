"""What a batch of records changes in the views, and the Redis commands that bring them up to date with it.

Theory of operation: while records are folded, a batch notes what they touch; `changes` then gives, once for each touched thing, what
writes its new state. So a batch costs Redis what it changes, not what it holds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from exchange import topics
from exchange.candles import Candle
from exchange.channel import Inbound
from exchange.statement import OrderLine
from exchange.views import MarketView
from gateway.analytics.projected import Facts
from gateway.keys import (
    ENDED_MAX,
    FILLS_MAX,
    REPORTS_MAX,
    REQUESTS_MAX,
    STEPS_MAX,
    TOP_LEVELS,
    TRADES_MAX,
    BalanceRow,
    DayRow,
    GenerationKeys,
    ListingRow,
    MarketRow,
    TradeRow,
)
from gateway.projecting.book_steps import Shown, step
from gateway.projecting.commands import FIRST, MARK, PRUNE, Command

PART: Final = 1_000
"""Greatest number of arguments of one command: Lua's stack holds some thousands."""

encode = msgspec.json.encode


@dataclass
class Changes:
    """What a batch does: commands for Redis, and the symbols and accounts whose views are others now."""

    commands: list[Command] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)


def _dicts() -> defaultdict[str, dict[Any, Any]]:
    return defaultdict(dict)


@dataclass
class Batch:
    """What records have touched, by symbol or account. Whatever touches a market has an entry in `levels`, so its row is written."""

    moved: set[tuple[str, int]] = field(default_factory=set)
    listed: dict[tuple[str, int], ListingRow] = field(default_factory=dict)
    anew: set[str] = field(default_factory=set)
    """Symbols whose trades start anew."""
    traded: defaultdict[str, list[TradeRow]] = field(default_factory=lambda: defaultdict(list))
    waited: set[str] = field(default_factory=set)
    """Symbols whose waiting trades are others now."""
    busted_trades: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    levels: defaultdict[str, dict[tuple[str, int], int]] = field(default_factory=_dicts)
    before: dict[str, Shown] = field(default_factory=dict)
    """What was shown of the books of the symbols in `levels` before the batch."""
    replaced: set[str] = field(default_factory=set)
    """Symbols whose whole book is another now."""
    balances: defaultdict[str, dict[str, BalanceRow]] = field(default_factory=_dicts)
    orders: defaultdict[str, dict[int, OrderLine]] = field(default_factory=_dicts)
    fills: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    busted_fills: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    reports: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    busted_orders: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    outcomes: defaultdict[str, dict[str, bytes]] = field(default_factory=_dicts)
    cancels: defaultdict[str, dict[str, bytes]] = field(default_factory=_dicts)
    """Outcomes of requests that are told only if no other one is."""
    repeats: defaultdict[str, dict[str, tuple[bytes, bool]]] = field(default_factory=_dicts)
    facts: Facts = field(default_factory=Facts)

    def start_anew(self, symbol: str) -> None:
        """Let a symbol have no trades."""
        self.anew.add(symbol)
        self.traded.pop(symbol, None)

    def changes(self, keys: GenerationKeys, markets: dict[str, MarketView]) -> Changes:
        """Return what has changed but the position in the topics."""
        commands: list[Command] = []
        rows = [part for (symbol, version), row in self.listed.items() for part in (f"{symbol} {version}", encode(row))]
        commands += [("HSET", keys.listings, *some) for some in _parts(rows)]
        commands += [("DEL", keys.trades(symbol)) for symbol in self.anew]
        for symbol in self.levels:
            self._market(markets[symbol], keys, commands)
        accounts = {
            **self.balances,
            **self.orders,
            **self.busted_orders,
            **self.outcomes,
            **self.cancels,
            **self.repeats,
        }
        for account in accounts:
            self._account(account, keys, commands)
        commands += self.facts.commands(keys)
        symbols, told = self.facts.symbols.union(self.levels), self.facts.accounts.union(accounts)
        return Changes(commands, sorted(symbols), sorted(told))

    def _market(self, view: MarketView, keys: GenerationKeys, commands: list[Command]) -> None:
        symbol = view.symbol
        for side in ("buy", "sell"):
            key = keys.levels(symbol, side)
            changed = {price: quantity for (of, price), quantity in self.levels[symbol].items() if of == side}
            if symbol in self.replaced:
                commands.append(("DEL", key))
                changed = view.book.side(side).quantities
            rows = [part for price, quantity in changed.items() if quantity for part in (price, quantity)]
            commands += [("HSET", key, *some) for some in _parts(rows)]
            gone = [price for price, quantity in changed.items() if not quantity]
            commands += [("HDEL", key, *some) for some in _parts(gone)]
        commands.append(("SET", keys.market(symbol), encode(market_row(view))))
        taken = step(self.before[symbol], view)
        if taken is not None:
            commands.append(("ZADD", keys.steps(symbol), taken.seq, encode(taken)))
            commands.append(("ZREMRANGEBYRANK", keys.steps(symbol), 0, -STEPS_MAX - 1))
        self._trades(view, keys, commands)

    def _trades(self, view: MarketView, keys: GenerationKeys, commands: list[Command]) -> None:
        symbol, traded, busted = view.symbol, self.traded.get(view.symbol), self.busted_trades.get(view.symbol)
        if traded:
            commands.append(("LPUSH", keys.trades(symbol), *map(encode, traded[-TRADES_MAX:])))
            commands.append(("LTRIM", keys.trades(symbol), 0, TRADES_MAX - 1))
        if symbol in self.waited:
            waiting = (
                ("SET", keys.waiting(symbol), encode(list(view.waiting)))
                if view.waiting
                else ("DEL", keys.waiting(symbol))
            )
            commands.append(waiting)
        if busted:
            members = [part for number in sorted(busted) for part in (number, number)]
            commands += [("ZADD", keys.busted_trades(symbol), *some) for some in _parts(members)]
        if busted or traded:
            commands.append(("ZREMRANGEBYSCORE", keys.busted_trades(symbol), "-inf", view.trades - TRADES_MAX))

    def _account(self, account: str, keys: GenerationKeys, commands: list[Command]) -> None:
        balances = [part for asset, row in self.balances.get(account, {}).items() for part in (asset, encode(row))]
        commands += [("HSET", keys.balances(account), *some) for some in _parts(balances)]
        self._orders(account, keys, commands)
        for key, length, rows in (
            (keys.fills(account), FILLS_MAX, self.fills.get(account)),
            (keys.reports(account), REPORTS_MAX, self.reports.get(account)),
        ):
            if rows:
                commands += [("LPUSH", key, *rows[-length:]), ("LTRIM", key, 0, length - 1)]
        commands += [
            ("SADD", keys.busted_fills(account), *some) for some in _parts(sorted(self.busted_fills.get(account, ())))
        ]
        self._requests(account, keys, commands)

    def _requests(self, account: str, keys: GenerationKeys, commands: list[Command]) -> None:
        outcomes, repeats = self.outcomes.get(account, {}), self.repeats.get(account, {})
        cancels = self.cancels.get(account, {})
        for some in _parts([part for pair in outcomes.items() for part in pair]):
            commands.append(("HSET", keys.outcomes(account), *some))
            commands.append(("LPUSH", keys.request_ids(account), *some[::2]))
        for request_id, outcome in cancels.items():
            commands.append((FIRST, keys.outcomes(account), keys.request_ids(account), request_id, outcome))
        for request_id, (repeat, tells_first) in repeats.items():
            hash_key = keys.outcomes(account) if tells_first else keys.repeats(account)
            commands.append((FIRST, hash_key, keys.request_ids(account), request_id, repeat))
            commands.append(("HSET", keys.repeats(account), request_id, repeat))
        if outcomes or cancels or repeats:
            commands.append(
                (PRUNE, keys.request_ids(account), REQUESTS_MAX, keys.outcomes(account), keys.repeats(account))
            )

    def _orders(self, account: str, keys: GenerationKeys, commands: list[Command]) -> None:
        ended: list[int] = []
        open_rows: list[Any] = []
        ended_rows: list[Any] = []
        for order_id, line in self.orders.get(account, {}).items():
            rows = open_rows if line.state == "OPEN" else ended_rows
            rows += (order_id, encode(line))
            if line.state != "OPEN":
                ended.append(order_id)
        commands += [("HSET", keys.open_orders(account), *some) for some in _parts(open_rows)]
        marks = keys.busted_orders(account)
        if ended:
            commands += [("HDEL", keys.open_orders(account), *some) for some in _parts(ended)]
            commands += [("HSET", keys.ended_orders(account), *some) for some in _parts(ended_rows)]
            commands += [("LPUSH", keys.ended_ids(account), *some) for some in _parts(ended)]
            commands.append((PRUNE, keys.ended_ids(account), ENDED_MAX, keys.ended_orders(account), marks))
        commands += [
            (MARK, marks, order_id, keys.open_orders(account), keys.ended_orders(account))
            for order_id in sorted(self.busted_orders.get(account, ()))
        ]


def position(
    batch: Batch,
    keys: GenerationKeys,
    offsets: dict[tuple[str, int], int],
    seen: dict[str, Inbound],
    names: dict[str, str],
) -> list[Command]:
    """Return what writes the offsets that have moved, and where the channels of the touched topics stand; `names` are the topics'."""
    rows: list[Any] = []
    for topic, partition in batch.moved:
        rows += (f"{topic}/{partition}", offsets[topic, partition])
    for name in {names[topic] for topic, _ in batch.moved} | ({topics.BOOK_DELTAS} if batch.replaced else set()):
        if name in seen:
            rows += (f"seen {name}", encode(seen[name].counts))
    return [("HSET", keys.position, *some) for some in _parts(rows)]


def market_row(view: MarketView) -> MarketRow:
    """Return what is stored of a market."""
    return MarketRow(
        deltas=view.deltas,
        trades=view.trades,
        time_ms=view.time_ms,
        day=_day_row(view.day) if view.day else None,
        previous_close=view.previous_close,
        bids=view.book.bids.top(TOP_LEVELS),
        asks=view.book.asks.top(TOP_LEVELS),
        listing=view.listing,
        since=view.since,
        instrument=view.instrument,
        rules=view.rules,
        phase=view.phase,
        indication=view.indication,
        reference=view.reference,
        delisted=view.delisted,
    )


def _day_row(day: Candle) -> DayRow:
    return DayRow(day.start_ms, day.open, day.high, day.low, day.close, day.volume, day.trades)


def _parts(values: list[Any]) -> list[list[Any]]:
    """Cut a list into parts that one command can take; an even PART keeps pairs together."""
    return [values[start : start + PART] for start in range(0, len(values), PART)]
