"""Every message that crosses a topic. `docs/PROTOCOL.md` has a table for each, held to this module by a test.

Commands are imperative, events past tense, facts nouns. Prices are ticks, quantities lots, amounts minor units, times
milliseconds since the epoch in UTC. Field types carry the ranges; a record that leaves them is a dead letter.

`source` and `seq` number a message within its channel (see `channel`): a book's source is its symbol, an account
shard's its number as text, a writer of `@market` flow's its own name, which starts with '@'.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Meta

from exchange.instruments import Asset, Instrument
from exchange.money import UNITS_MAX

PRICE_MAX = 2**40
QUANTITY_MAX = 2**40
MARKET = "@market"
"""The unlimited account of flow without accounts: it reserves nothing and gets no reports."""

Price = Annotated[int, Meta(ge=1, le=PRICE_MAX)]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Total = Annotated[int, Meta(ge=1)]
Amount = Annotated[int, Meta(ge=1, le=UNITS_MAX)]
Millis = Annotated[int, Meta(ge=0, le=UNITS_MAX)]
Seq = Annotated[int, Meta(ge=1, le=UNITS_MAX)]
OrderId = Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]
NewName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
"""An account, source or symbol in use. Only new names are held to a pattern; a record under an unknown one is refused."""
RequestId = Annotated[str, Meta(min_length=1, max_length=64)]
Key = Name

Side: TypeAlias = Literal["buy", "sell"]
Kind: TypeAlias = Literal["limit", "market"]
TimeInForce: TypeAlias = Literal["GTC", "IOC", "FOK", "GTD"]
Liquidity: TypeAlias = Literal["maker", "taker"]

RejectReason: TypeAlias = Literal[
    "ACCOUNT_EXISTS",
    "BALANCE_LIMIT",
    "CLOCK_AHEAD",
    "DUPLICATE",
    "EXPIRED",
    "HALTED",
    "INSUFFICIENT_FUNDS",
    "INVALID_ORDER_ID",
    "INVALID_TIME_IN_FORCE",
    "REQUESTS_FULL",
    "STALE",
    "STALE_LISTING",
    "TOO_LATE",
    "UNKNOWN_ACCOUNT",
    "UNKNOWN_ORDER",
    "UNKNOWN_SYMBOL",
]
CancelReason: TypeAlias = Literal["REQUESTED", "IOC_REMAINDER", "FOK_UNFILLED", "MARKET_REMAINDER"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of all messages: immutable, named by `type` in JSON, unknown fields refused."""


# Commands from outside, to `account-inbox`


class OpenAccount(Message, frozen=True, tag=True):
    """Open an account with no balances."""

    account: NewName
    request_id: RequestId
    created_ms: Millis


class Deposit(Message, frozen=True, tag=True):
    """Credit `amount` minor units of `asset` to an account from outside the exchange."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    asset: Asset
    amount: Amount


class PlaceOrder(Message, frozen=True, tag=True):
    """Ask to buy or sell.

    `price` is the limit, or for a market order the protection price, beyond which it never trades. `expires_ms` goes
    with GTD and no other time in force; a market order is IOC or FOK.
    """

    account: Name
    request_id: RequestId
    created_ms: Millis
    symbol: Name
    side: Side
    price: Price
    quantity: Quantity
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0


class CancelOrder(Message, frozen=True, tag=True):
    """Ask to cancel an open order, named by `order_id`, or by the `order_request_id` it was placed with."""

    account: Name
    request_id: RequestId
    created_ms: Millis
    order_id: OrderId = 0
    order_request_id: RequestId | None = None


# Commands of the operator, to either inbox; `key` is the key of the machine they are for


class ListInstrument(Message, frozen=True, tag=True):
    """List an instrument, or raise the `version` that its orders are admitted under; the instrument itself never changes."""

    key: Key
    instrument: Instrument
    version: Seq = 1


class AdvanceClock(Message, frozen=True, tag=True):
    """Set the clock of a machine of a replay venue forward; only the replay source writes it."""

    key: Key
    time_ms: Millis


class Resume(Message, frozen=True, tag=True):
    """Let a halted machine go on."""

    key: Key


class Tick(Message, frozen=True, tag=True):
    """Let an idle machine of a live venue see the time, which is this record's own."""

    key: Key


# Commands from an account shard, or of `@market` flow, to `book-inbox`


class EnterOrder(Message, frozen=True, tag=True):
    """Match an order that is already paid for. `listing` is the version of the listing it was reserved under."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    side: Side
    price: Price
    quantity: Quantity
    listing: Seq = 1
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0


class PullOrder(Message, frozen=True, tag=True):
    """Take an order off the book."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    request_id: RequestId | None = None


# Reports: from a book to `account-inbox`, and once settled from the account to `order-reports`


class OrderAccepted(Message, frozen=True, tag=True):
    """An order has reached the book; fills, if any, follow."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    side: Side
    price: Price
    quantity: Quantity
    kind: Kind = "limit"
    time_in_force: TimeInForce = "GTC"
    expires_ms: Millis = 0
    request_id: RequestId | None = None


class OrderFilled(Message, frozen=True, tag=True):
    """An order has traded `quantity` at `price`; `leaves` is what is left of it, `trade` the symbol's trade number."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    trade: Seq
    side: Side
    price: Price
    quantity: Quantity
    leaves: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
    liquidity: Liquidity
    request_id: RequestId | None = None


class OrderCancelled(Message, frozen=True, tag=True):
    """What was left of an order, `quantity`, is off the book; `cancel_request_id` is the id of the request that did it."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    quantity: Quantity
    reason: CancelReason
    request_id: RequestId | None = None
    cancel_request_id: RequestId | None = None


class OrderExpired(Message, frozen=True, tag=True):
    """What was left of a GTD order, `quantity`, is off the book because its time has come."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    order_id: OrderId
    symbol: Name
    quantity: Quantity
    request_id: RequestId | None = None


class OrderRejected(Message, frozen=True, tag=True):
    """An order was refused, by the account (then it has no `order_id`) or by the book."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    symbol: Name
    reason: RejectReason
    order_id: OrderId = 0
    request_id: RequestId | None = None


class RequestRejected(Message, frozen=True, tag=True):
    """A request other than an order (`order_id` says of which order, if of one) was refused."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    reason: RejectReason
    order_id: OrderId = 0
    request_id: RequestId | None = None


class RequestRepeated(Message, frozen=True, tag=True):
    """A request came again; it had no second effect. Says how the first ended: an order id, a reason, or neither."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    request_id: RequestId
    order_id: OrderId = 0
    reason: RejectReason | None = None


# Facts


class Trade(Message, frozen=True, tag=True):
    """Two orders have traded. `seq` is the symbol's trade number, gapless from 1."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    price: Price
    quantity: Quantity
    taker_side: Side
    maker_order: OrderId
    taker_order: OrderId

    @property
    def trade_id(self) -> str:
        """The trade's id in the whole venue, such as `AAPLUSD-1842`."""
        return f"{self.symbol}-{self.seq}"


class BookDelta(Message, frozen=True, tag=True):
    """The total quantity that now rests on one side of a book at one price (0: none)."""

    symbol: Name
    seq: Seq
    time_ms: Millis
    side: Side
    price: Price
    quantity: Annotated[int, Meta(ge=0)]


class BookSnapshot(Message, frozen=True, tag=True):
    """A whole book: each price with the total quantity that rests there, best first, after `delta` book deltas and `trade` trades.

    The first one of a book, and one for each new `listing`, say what is traded. Readers of book deltas can begin at the last.
    """

    symbol: Name
    seq: Seq
    time_ms: Millis
    delta: Annotated[int, Meta(ge=0, le=UNITS_MAX)]
    trade: Annotated[int, Meta(ge=0, le=UNITS_MAX)]
    listing: Seq
    instrument: Instrument
    bids: list[tuple[Price, Total]]
    asks: list[tuple[Price, Total]]


class BalanceChanged(Message, frozen=True, tag=True):
    """What an account now has of an asset, in minor units: free to use, and reserved for its open orders."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    asset: Asset
    available: Annotated[int, Meta(ge=0)]
    reserved: Annotated[int, Meta(ge=0)]
    request_id: RequestId | None = None


class AccountOpened(Message, frozen=True, tag=True):
    """An account exists from now on."""

    source: Name
    seq: Seq
    time_ms: Millis
    account: Name
    request_id: RequestId


class Bar(Message, frozen=True, tag=True):
    """One bar of market data from outside: `start_ms` to `start_ms + span_ms`; prices in ticks, volume in lots."""

    source: Name
    seq: Seq
    symbol: Name
    start_ms: Millis
    span_ms: Annotated[int, Meta(ge=1, le=UNITS_MAX)]
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Annotated[int, Meta(ge=0, le=UNITS_MAX)]

    def __post_init__(self) -> None:
        """Refuse a bar whose open or close lies outside low to high."""
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError("open and close must lie within low to high")


class DeadLetter(Message, frozen=True, tag=True):
    """A record that could not be used: where it stood, why, and its bytes (base64 in JSON)."""

    topic: str
    partition: int
    offset: int
    key: str
    reason: Literal["INVALID_PACKET", "BROKEN_INVARIANT", "REJECTED", "CHANNEL_HOLE"]
    detail: str
    raw: bytes


BookCommand: TypeAlias = EnterOrder | PullOrder | Tick | AdvanceClock | ListInstrument | Resume
BookReport: TypeAlias = OrderAccepted | OrderFilled | OrderCancelled | OrderExpired | OrderRejected | RequestRejected
AccountCommand: TypeAlias = OpenAccount | Deposit | PlaceOrder | CancelOrder
AccountsInput: TypeAlias = AccountCommand | BookReport | AdvanceClock | ListInstrument | Resume
OrderReport: TypeAlias = BookReport | RequestRepeated
AccountUpdate: TypeAlias = BalanceChanged | AccountOpened


@lru_cache(maxsize=65_536)
def shard_of(account: str, shards: int) -> str:
    """Return the key of the account's shard: `crc32(account) % shards`, as text.

    >>> shard_of("alice", 16)
    '7'
    """
    return str(crc32(account.encode()) % shards)
