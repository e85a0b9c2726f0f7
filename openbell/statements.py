"""An account's statement in full: what `exchange.statement` adds up, and each open order and trade, in decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from exchange.instruments import Instrument
from exchange.messages import (
    AccountOpened,
    BalanceChanged,
    FillBusted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderTriggered,
)
from exchange.money import from_units, minor_step
from exchange.statement import OrderLine, Statement

Instruments: TypeAlias = Mapping[tuple[str, int], Instrument]
"""What is traded, by symbol and version of the listing."""

_CHANGES = (OrderAmended, OrderTriggered, OrderFilled, OrderCancelled, OrderExpired)


@dataclass(frozen=True)
class Fill:
    """One side of a trade, and the listing that its ticks and lots are of; `undone`: it was busted."""

    report: OrderFilled
    instrument: Instrument
    undone: bool = False


class AccountView:
    """What an account's events add up to; texts are decimals. Fills are by symbol, trade and order: it may trade with itself."""

    def __init__(self, instruments: Instruments) -> None:
        self.opened = False
        self._statement = Statement(instruments)
        self._instruments = instruments
        self._orders: dict[int, OrderLine] = {}
        self._fills: dict[tuple[str, int, int], Fill] = {}
        self._scales = {
            asset: scale
            for listed in instruments.values()
            for asset, scale in ((listed.base, listed.base_scale), (listed.quote, listed.quote_scale))
        }

    def add(self, event: Any) -> None:
        """Take in the account's next event."""
        self._statement.take(event)
        if isinstance(event, AccountOpened | BalanceChanged):
            self.opened = True  # nobody opens the fee account
        elif isinstance(event, OrderAccepted):
            self._orders[event.order_id] = OrderLine.opened(event)
        elif isinstance(event, _CHANGES):
            self._change(event)
        elif isinstance(event, FillBusted):
            name = (event.symbol, event.trade, event.order_id)
            self._fills[name] = replace(self._fills[name], undone=True)

    def _change(self, report: Any) -> None:
        order = self._orders[report.order_id]
        order.add(report)
        if isinstance(report, OrderFilled):
            listed = self._instruments[order.symbol, order.listing]
            self._fills[report.symbol, report.trade, report.order_id] = Fill(report, listed)
        if order.state != "OPEN":
            del self._orders[report.order_id]

    def amount(self, asset: str, units: int) -> str:
        """Write minor units of an asset; of one that nothing listed says the decimals of, as they are."""
        scale = self._scales.get(asset)
        return f"{units} minor units" if scale is None else from_units(units, minor_step(scale))

    def balances(self) -> list[dict[str, Any]]:
        """Return what the account has, by asset."""
        names = ("available", "reserved", "owed")
        return [
            {"asset": asset} | {name: self.amount(asset, units) for name, units in zip(names, held, strict=True)}
            for asset, held in sorted(self._statement.balances.items())
        ]

    def orders(self) -> list[dict[str, Any]]:
        """Return the open orders, the oldest first."""
        rows = []
        for order in self._orders.values():
            listed = self._instruments[order.symbol, order.listing]
            rows.append(
                {
                    "order_id": order.order_id,
                    "symbol": order.symbol,
                    "side": order.side,
                    "kind": order.kind,
                    "price": listed.price_text(order.price),
                    "quantity": listed.quantity_text(order.quantity),
                    "leaves": listed.quantity_text(order.leaves),
                }
            )
        return rows

    def trades(self) -> list[dict[str, Any]]:
        """Return the trades in their order, those that were undone, too."""
        return [
            {
                "time_ms": fill.report.time_ms,
                "symbol": fill.report.symbol,
                "trade": fill.report.trade,
                "order_id": fill.report.order_id,
                "side": fill.report.side,
                "price": fill.instrument.price_text(fill.report.price),
                "quantity": fill.instrument.quantity_text(fill.report.quantity),
                "fee": self.amount(fill.instrument.quote, fill.report.fee),
                "undone": fill.undone,
            }
            for fill in self._fills.values()
        ]

    def markets(self) -> list[dict[str, Any]]:
        """Return what was bought, sold, paid in fees and realised as profit, by symbol; undone trades do not count."""
        rows = []
        for symbol in self._statement.symbols:
            traded = self._statement.traded(symbol)
            listed = next(one for (name, _), one in self._instruments.items() if name == symbol)
            amounts = {
                name: self.amount(listed.quote, getattr(traded, name))
                for name in ("cash", "fees", "profit_average", "profit_fifo")
            }
            rows.append(
                {
                    "symbol": symbol,
                    "trades": traded.fills,
                    "bought": self.amount(listed.base, traded.bought),
                    "sold": self.amount(listed.base, traded.sold),
                    "asset": listed.quote,
                    **amounts,
                }
            )
        return rows
