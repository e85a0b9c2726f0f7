"""The commands of the decimal protocol: `messages` with decimal strings for ticks and lots, and without channels."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from exchange.messages import Kind, Millis, Name, Peg, Phase, PostOnly, SelfTrade, Seq, Side, TimeInForce


class Timed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all commands may say: the time, which moves the book's clock forward."""

    time_ms: Millis = 0


class TextConditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`messages.Conditions` with decimal strings; an offset may be below zero."""

    stop: str | None = None
    trail: str | None = None
    peg: Peg | None = None
    offset: str | None = None
    display: str | None = None
    post_only: PostOnly | None = None
    min_quantity: str | None = None
    all_or_none: bool = False
    self_trade: SelfTrade = "none"


class Leg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of an order is its own in a pair; `order_id` defaults to the next number, a price that only protects to none."""

    price: str | None = None
    order_id: Seq | None = None
    kind: Kind = "limit"
    time_in_force: TimeInForce | None = None
    expires_ms: Millis = 0
    conditions: TextConditions | None = None


class Place(Leg, frozen=True, kw_only=True, tag="PlaceOrder"):
    """Buy or sell."""

    account: Name
    side: Side
    quantity: str
    time_ms: Millis = 0


class PlacePair(Timed, frozen=True, kw_only=True, tag="PlaceOco"):
    """Place two orders of which one cancels the other."""

    account: Name
    side: Side
    quantity: str
    first: Leg
    second: Leg


class Cancel(Timed, frozen=True, kw_only=True, tag="CancelOrder"):
    """Take an order off the book, if `account`, where it is given, is its owner."""

    order_id: Seq
    account: Name | None = None


class Amend(Timed, frozen=True, kw_only=True, tag="AmendOrder"):
    """Change an order; what is not given stays. `quantity` counts what is filled, too."""

    order_id: Seq
    account: Name | None = None
    price: str | None = None
    quantity: str | None = None
    stop: str | None = None


class Replace(Leg, frozen=True, kw_only=True, tag="ReplaceOrder"):
    """Take the order `replaced` off the book and place another one for its account, in one step or not at all."""

    replaced: Seq
    side: Side
    quantity: str
    account: Name | None = None
    time_ms: Millis = 0


class ChangePhase(Timed, frozen=True, kw_only=True, tag="SetPhase"):
    """Let the market go into a phase, now or at a later time."""

    phase: Phase
    at_ms: Millis = 0


class CancelAllOrders(Timed, frozen=True, kw_only=True, tag="CancelSymbol"):
    """Cancel all orders."""


class Advance(Timed, frozen=True, kw_only=True, tag="AdvanceClock"):
    """Let time pass."""


Command: TypeAlias = Place | PlacePair | Cancel | Amend | Replace | ChangePhase | CancelAllOrders | Advance
