"""Turns what a program sent as JSON into a group of orders: two of which one cancels the other, or an entry with two exits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast, get_args

from exchange.instruments import Instrument
from exchange.messages import Leg, PlaceBracket, PlaceOco, PlaceOrder, Side
from gateway.flaws import explain_leg
from gateway.ports import Views
from gateway.reading import Errors, Reading
from gateway.tickets import InvalidTicket, new_request_id, read_order

OCO_FIELDS: Final = ("symbol", "side", "quantity", "first", "second", "request_id")
BRACKET_FIELDS: Final = ("symbol", "side", "quantity", "entry", "take_profit", "stop_loss", "request_id")
"""All fields of a group; each of its orders has those of `tickets.TERMS`."""

G = TypeVar("G", PlaceOco, PlaceBracket)
_OTHER: Final[dict[str, Side]] = {"buy": "sell", "sell": "buy"}


class _Group:
    """The fields that the orders of a group share."""

    def __init__(
        self, fields: Mapping[str, Any], views: Views, account: str, now_ms: int, instruments: dict[str, Instrument]
    ) -> None:
        self.reading = Reading(fields)
        self.views = views
        self.account = account
        self.now_ms = now_ms
        self.instrument = self.reading.instrument(instruments)
        self.side = cast(Side, self.reading.choice("side", get_args(Side)))
        self.quantity = self.reading.quantity("quantity", self.instrument)
        self.request_id = self.reading.request_id(new_request_id())

    async def leg(self, name: str, *, exits: bool = False, paired: bool = True) -> Leg | None:
        """Return one order; None, with errors, if it is wrong. `exits`: it is of the other side; `paired`: another one cancels it."""
        value = self.reading.fields.get(name)
        if not isinstance(value, dict):
            self.reading.wrong(name, "This is needed: write a JSON object with the order's own fields.")
            return None
        errors: Errors = {}
        reading = Reading(value, f"{name}.", errors)
        side = _OTHER.get(self.side, self.side) if exits else self.side
        order = await read_order(
            reading,
            self.views,
            self.account,
            self.now_ms,
            self.instrument,
            side,
            self.quantity,
            f"{self.request_id}.{name}",
        )
        if order is not None and paired:
            for field, what in explain_leg(order).items():
                reading.wrong(field, what)
        for field, what in errors.items():
            self.reading.wrong(field, what)
        return None if order is None else _leg(order)

    def placed(self, kind: Callable[..., G], **legs: Leg | None) -> G:
        """Return the command, or raise InvalidTicket."""
        ids: list[str] = [leg.request_id for leg in legs.values() if leg is not None]
        if len({self.request_id, *ids}) <= len(ids):
            self.reading.wrong(
                "request_id", "The group and each of its orders need request ids of their own: change one."
            )
        if self.reading.errors or self.instrument is None:
            raise InvalidTicket(self.reading.errors)
        return kind(
            account=self.account,
            request_id=self.request_id,
            created_ms=self.now_ms,
            symbol=self.instrument.symbol,
            side=self.side,
            quantity=self.quantity,
            **legs,
        )


async def read_oco(fields: Mapping[str, Any], views: Views, account: str, now_ms: int) -> PlaceOco:
    """Return the two orders that `fields` (names of `OCO_FIELDS`) ask for. Errors as in `tickets.read_ticket`."""
    group = _Group(fields, views, account, now_ms, await views.instruments())
    return group.placed(PlaceOco, first=await group.leg("first"), second=await group.leg("second"))


async def read_bracket(fields: Mapping[str, Any], views: Views, account: str, now_ms: int) -> PlaceBracket:
    """Return the three orders that `fields` (names of `BRACKET_FIELDS`) ask for. Errors as in `tickets.read_ticket`."""
    group = _Group(fields, views, account, now_ms, await views.instruments())
    return group.placed(
        PlaceBracket,
        entry=await group.leg("entry", paired=False),
        take_profit=await group.leg("take_profit", exits=True),
        stop_loss=await group.leg("stop_loss", exits=True),
    )


def _leg(order: PlaceOrder) -> Leg:
    return Leg(
        request_id=order.request_id,
        price=order.price,
        kind=order.kind,
        time_in_force=order.time_in_force,
        expires_ms=order.expires_ms,
        conditions=order.conditions,
    )
