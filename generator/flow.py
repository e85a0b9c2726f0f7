"""Random order flow that one seed determines.

Theory of operation: each symbol has a reference price that walks a tick up or down now and then. An order rests a few
ticks behind the reference, or crosses it by a tick or two and takes what stands there; a share of the events cancels one
of the flow's own recent orders instead, which may have traded by then, as in life. All chance comes from one
`random.Random(seed)`, and the time of creation is the caller's.

Two kinds of flow: with accounts, commands for `account-inbox` under request ids `g<name>-<n>`; without, messages of the
unlimited `@market` account for `book-inbox`, of source `@gen-<name>`, numbered without a gap for each symbol. The name is
the seed and a hash of the other options, so that different flows do not pass for one. Order ids are negative,
`-(hash(name) % 2^20 * 2^32 + n)`, and so never an account's; one in a million pairs of flows share them. Their time is 0,
which never moves a replay venue's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from random import Random
from typing import Any, Final, TypeAlias
from zlib import crc32

from exchange import topics
from exchange.instruments import Instrument
from exchange.messages import (
    MARKET,
    AccountCommand,
    CancelOrder,
    Deposit,
    EnterOrder,
    ListInstrument,
    OpenAccount,
    PlaceOrder,
    PullOrder,
    Side,
    shard_of,
)

Addressed: TypeAlias = tuple[str, str, Any]
"""A topic (without its venue), a record key and a message."""

REFERENCE: Final = 10_000
REFERENCE_MIN: Final = 1_000
"""Where a symbol's price begins, and what it never falls below, in ticks of a cent."""
DEPTH: Final = 10
QUANTITY: Final = 100
RECENT_MAX: Final = 1_000
"""How many of a symbol's last orders may still be cancelled."""
DEPOSIT: Final = 2**50


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What to generate; with 0 `accounts`, `@market` flow. The shares are parts of all events, from 0 to 1."""

    seed: int
    orders: int
    symbols: int = 2
    accounts: int = 10
    shards: int = 16
    cancel_share: float = 0.2
    cross_share: float = 0.3


class _Symbol:
    """A symbol's walk and the orders that may still be cancelled, each as (who placed it, its name)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reference = REFERENCE
        self.seq = 0
        self.recent: deque[tuple[str, Any]] = deque(maxlen=RECENT_MAX)


def instruments(flow: Flow) -> list[Instrument]:
    """Return what is traded: `GEN1USD`, `GEN2USD`, ..., a cent a tick, a share a lot."""
    return [
        Instrument(symbol=f"GEN{number}USD", base=f"GEN{number}", quote="USD", tick="0.01", lot="1")
        for number in range(1, flow.symbols + 1)
    ]


def account_names(flow: Flow) -> list[str]:
    """Return the accounts that trade: `gen-<seed>-1`, ..."""
    return [f"gen-{flow.seed}-{number}" for number in range(1, flow.accounts + 1)]


def setup(flow: Flow, now_ms: Callable[[], int]) -> Iterator[Addressed]:
    """Yield what must be there first: listings, and the accounts with `DEPOSIT` minor units of each asset."""
    listed = instruments(flow)
    for one in listed:
        yield topics.BOOK_INBOX, one.symbol, ListInstrument(key=one.symbol, instrument=one)
    names = account_names(flow)
    for shard in sorted({shard_of(name, flow.shards) for name in names}, key=int):
        for one in listed:
            yield topics.ACCOUNT_INBOX, shard, ListInstrument(key=shard, instrument=one)
    assets = sorted({asset for one in listed for asset in (one.base, one.quote)})
    for name in names:
        commands: list[AccountCommand] = [OpenAccount(account=name, request_id="open", created_ms=now_ms())]
        commands += [
            Deposit(account=name, request_id=f"fund-{asset}", created_ms=now_ms(), asset=asset, amount=DEPOSIT)
            for asset in assets
        ]
        for command in commands:
            yield topics.ACCOUNT_INBOX, shard_of(name, flow.shards), command


def events(flow: Flow, now_ms: Callable[[], int]) -> Iterator[Addressed]:
    """Yield `flow.orders` orders and cancellations, in their order; `now_ms` tells each one's time of creation."""
    # Chance here is for variety, not for secrets.
    random = Random(flow.seed)  # noqa: S311
    symbols = [_Symbol(one.symbol) for one in instruments(flow)]
    homes = [(name, shard_of(name, flow.shards)) for name in account_names(flow)]
    for number in range(1, flow.orders + 1):
        symbol = symbols[int(random.random() * len(symbols))]
        if symbol.recent and random.random() < flow.cancel_share:
            position = int(random.random() * len(symbol.recent))
            who, name = symbol.recent[position]
            del symbol.recent[position]
            yield _cancel(flow, number, who, name, now_ms) if homes else _pull(flow, symbol, name)
            continue
        side, price, quantity, rests = _order(random, symbol, flow.cross_share)
        if homes:
            account, shard = homes[int(random.random() * len(homes))]
            request_id = f"g{_name(flow)}-{number}"
            if rests:
                symbol.recent.append((account, request_id))
            command = PlaceOrder(
                account=account,
                request_id=request_id,
                created_ms=now_ms(),
                symbol=symbol.name,
                side=side,
                price=price,
                quantity=quantity,
            )
            yield topics.ACCOUNT_INBOX, shard, command
        else:
            order_id = _order_id(flow, number)
            if rests:
                symbol.recent.append((MARKET, order_id))
            symbol.seq += 1
            order = EnterOrder(
                source=_source(flow),
                seq=symbol.seq,
                time_ms=0,
                account=MARKET,
                order_id=order_id,
                symbol=symbol.name,
                side=side,
                price=price,
                quantity=quantity,
            )
            yield topics.BOOK_INBOX, symbol.name, order


def _order(random: Random, symbol: _Symbol, cross_share: float) -> tuple[Side, int, int, bool]:
    """Return side, price, quantity, and whether the order is meant to rest."""
    chance = random.random()
    if chance < 0.2:
        symbol.reference = max(REFERENCE_MIN, symbol.reference + (1 if chance < 0.1 else -1))
    side: Side = "buy" if random.random() < 0.5 else "sell"
    crosses = random.random() < cross_share
    away = -2 if crosses else 1 + int(random.random() * DEPTH)
    price = symbol.reference - away if side == "buy" else symbol.reference + away
    return side, price, 1 + int(random.random() * QUANTITY), not crosses


def _cancel(flow: Flow, number: int, account: str, request_id: str, now_ms: Callable[[], int]) -> Addressed:
    command = CancelOrder(
        account=account, request_id=f"g{_name(flow)}-{number}", created_ms=now_ms(), order_request_id=request_id
    )
    return topics.ACCOUNT_INBOX, shard_of(account, flow.shards), command


def _pull(flow: Flow, symbol: _Symbol, order_id: int) -> Addressed:
    symbol.seq += 1
    message = PullOrder(
        source=_source(flow), seq=symbol.seq, time_ms=0, account=MARKET, order_id=order_id, symbol=symbol.name
    )
    return topics.BOOK_INBOX, symbol.name, message


@lru_cache(maxsize=8)
def _name(flow: Flow) -> str:
    """Name a flow by its seed and its other options but the number of orders: a longer flow begins like a shorter one."""
    options = tuple(getattr(flow, field.name) for field in fields(flow) if field.name not in ("seed", "orders"))
    return f"{flow.seed}-{crc32(repr(options).encode()) % 2**20:05x}"


def _source(flow: Flow) -> str:
    return f"@gen-{_name(flow)}"


def _order_id(flow: Flow, number: int) -> int:
    return -(crc32(_name(flow).encode()) % 2**20 * 2**32 + number)
