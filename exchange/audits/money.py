"""What every account has, against what came in, what it traded and paid, and what its open orders need.

Theory of operation: both legs of a trade move the same cash and the same shares, and what they pay in fees goes to the fee account, so where
every account has what its deposits, withdrawals, fills, fees and busts say, and every leg of every trade is a fill,
nothing is made or lost. Legs of `@market` are settled by this very rule. Balances are held to it after each command.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from exchange.audits.orders import Flaw
from exchange.instruments import Instrument
from exchange.messages import (
    BalanceChanged,
    Deposit,
    EnterOco,
    EnterOrder,
    FeeCollected,
    FillBusted,
    ListInstrument,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    RequestRejected,
    ReviseOrder,
    SwapOrder,
    Withdraw,
)

MILLION: Final = 1_000_000
Name: TypeAlias = tuple[str, str]
"""An account and an asset."""


class _Reserved:
    """What an open order has reserved: cash at its limit with the greatest fee for a buy, shares for a sell.

    `asked` is an amendment under way, `twin` the other leg of its group (the first one `leads`), `beyond` what an order that is to replace another
    one needs beyond what that one has; `counted` is what of it is in the account's sum.
    """

    __slots__ = (
        "account",
        "asked",
        "beyond",
        "buys",
        "counted",
        "filled",
        "instrument",
        "leads",
        "leaves",
        "open",
        "price",
        "rate",
        "twin",
    )

    def __init__(self, order: EnterOrder, instrument: Instrument) -> None:
        self.account = order.account
        self.buys = order.side == "buy"
        self.price = order.price
        self.leaves = order.quantity
        self.filled = 0
        self.rate = max(order.maker_fee, order.taker_fee, 0)
        self.instrument = instrument
        self.twin: _Reserved | None = None
        self.leads = False
        self.beyond: int | None = None
        self.asked: tuple[str | None, int, int] | None = None
        self.open = True
        self.counted = 0

    def share(self) -> int:
        """Return what it adds to all that its account has reserved; of two legs, the first adds the greater need of both."""
        if not self.open:
            return 0
        if self.twin is None:
            return self.need()
        return max(self.need(), self.twin.need()) if self.leads else 0

    @property
    def name(self) -> Name:
        """Whose and what."""
        return self.account, self.instrument.quote if self.buys else self.instrument.base

    def need(self) -> int:
        """Return the most minor units it can cost, whenever an amendment under way takes place."""
        if self.beyond is not None:
            return self.beyond
        if self.asked is None:
            return self._worth(self.leaves * self.price, self.leaves)
        _, price, quantity = self.asked
        price = price or self.price
        leaves = max(0, quantity - self.filled) if quantity else self.leaves
        before, more = self.leaves * self.price, max(0, leaves - self.leaves)
        return self._worth(max(leaves * price, before + more * price), self.leaves + more)

    def _worth(self, value: int, lots: int) -> int:
        if not self.buys:
            return lots * self.instrument.lot_units
        cash = value * self.instrument.notional_units
        return cash + cash * self.rate // MILLION


class MoneyAudit:
    """Folds commands to account shards and all that they cause: totals, and what is reserved."""

    def __init__(self) -> None:
        self.due: dict[Name, int] = defaultdict(int)
        self.fills = 0
        self._instruments: dict[tuple[str, int], Instrument] = {}
        self._balances: dict[Name, BalanceChanged] = {}
        self._orders: dict[int, _Reserved] = {}
        self._needed: dict[Name, int] = defaultdict(int)
        self._changed: list[_Reserved] = []
        self._successors: dict[int, _Reserved] = {}
        self._touched: dict[Name, None] = {}
        self._command: Any = None
        self._folds: dict[type, Callable[[Any], object]] = {
            BalanceChanged: self._balance,
            OrderFilled: self._fill,
            FeeCollected: lambda fee: self._pay((fee.account, fee.asset), fee.amount),
            FillBusted: self._undo,
            EnterOrder: self._reserve,
            EnterOco: self._reserve_pair,
            SwapOrder: self._swap,
            ReviseOrder: self._ask,
            OrderAmended: self._amend,
            RequestRejected: self._refuse,
            OrderCancelled: self._end,
            OrderExpired: self._end,
            OrderRejected: self._end,
        }

    def take(self, command: Any, events: Iterable[Any]) -> None:
        """Take a command and what the accounts say to it, in order; then every balance that it touched must be right."""
        self._command = command
        if type(command) is ListInstrument:
            self._instruments.setdefault((command.instrument.symbol, command.version), command.instrument)
        for event in events:
            fold = self._folds.get(type(event))
            if fold is not None:
                fold(event)
        for order in self._changed:
            share = order.share()
            self._needed[order.name] += share - order.counted
            order.counted = share
            self._touched[order.name] = None
        self._changed.clear()
        for name in self._touched:
            self._check(name)
        self._touched.clear()

    # What comes and goes

    def _pay(self, name: Name, amount: int) -> None:
        self.due[name] += amount
        self._touched[name] = None

    def _balance(self, changed: BalanceChanged) -> None:
        name = (changed.account, changed.asset)
        self._balances[name] = changed
        self._touched[name] = None
        if changed.request_id is not None:
            self._carry_out(changed)

    def _carry_out(self, changed: BalanceChanged) -> None:
        """Take a deposit or a withdrawal that was carried out."""
        command = self._command
        kind = type(command)
        if kind not in (Deposit, Withdraw) or command.request_id != changed.request_id:
            raise Flaw(f"request {changed.request_id} moves no money")
        self.due[changed.account, command.asset] += command.amount if kind is Deposit else -command.amount

    def _fill(self, fill: OrderFilled) -> None:
        self.fills += 1
        order = self._orders.get(fill.order_id)
        if order is None:
            raise Flaw(f"order {fill.order_id} trades, and was never admitted")
        self._trade(fill.account, order.instrument, fill, 1 if fill.side == "buy" else -1)
        order.filled += fill.quantity
        order.leaves = fill.leaves
        self._change(order)
        if not fill.leaves:
            self._forget(fill.order_id)

    def _undo(self, bust: FillBusted) -> None:
        instrument = self._instruments.get((bust.symbol, bust.listing))
        if instrument is None:
            raise Flaw(f"{bust.symbol} has no listing {bust.listing}")
        self._trade(bust.account, instrument, bust, -1 if bust.side == "buy" else 1)

    def _trade(self, account: str, instrument: Instrument, leg: OrderFilled | FillBusted, sign: int) -> None:
        """Move the shares and the cash of a leg; an undone one gives its fee back, too."""
        cash = leg.quantity * leg.price * instrument.notional_units
        fee = leg.fee if type(leg) is OrderFilled else -leg.fee
        self._pay((account, instrument.base), sign * leg.quantity * instrument.lot_units)
        self._pay((account, instrument.quote), -sign * cash - fee)

    # What is reserved

    def _reserve(self, order: EnterOrder) -> _Reserved:
        instrument = self._instruments.get((order.symbol, order.listing))
        if instrument is None:
            raise Flaw(f"{order.symbol} has no listing {order.listing}")
        if order.order_id in self._orders:
            raise Flaw(f"order {order.order_id} is admitted a second time")
        reserved = self._orders[order.order_id] = _Reserved(order, instrument)
        self._change(reserved)
        return reserved

    def _change(self, order: _Reserved) -> None:
        """Note that what an order needs may be another amount now, which goes for the other leg of its group as well."""
        self._changed.append(order)
        if order.twin is not None:
            self._changed.append(order.twin)

    def _reserve_pair(self, pair: EnterOco) -> None:
        first, second = self._reserve(pair.first), self._reserve(pair.second)
        first.twin, second.twin = second, first
        first.leads = True

    def _swap(self, swap: SwapOrder) -> None:
        """Let an order wait for another one to give it its place and what that one has reserved."""
        old = self._orders.get(swap.order_id)
        if old is None:
            raise Flaw(f"order {swap.order_id}, which is to be replaced, is not open")
        new = self._successors[swap.order_id] = self._reserve(swap.order)
        new.beyond = max(0, new.need() - old.need()) if new.name == old.name else new.need()

    def _forget(self, order_id: int, *, replaced: bool = False) -> None:
        order = self._orders.pop(order_id)
        successor = self._successors.pop(order_id, None)
        if successor is not None and replaced:
            successor.beyond = None
            self._change(successor)
        self._change(order)
        order.open = False
        if order.twin is not None:
            order.twin.twin = None

    def _find(self, order_id: int) -> _Reserved | None:
        order = self._orders.get(order_id)
        if order is not None:
            self._change(order)
        return order

    def _ask(self, asked: ReviseOrder) -> None:
        order = self._find(asked.order_id)
        if order is not None:
            order.asked = (asked.request_id, asked.price, asked.quantity)

    def _amend(self, amended: OrderAmended) -> None:
        order = self._find(amended.order_id)
        if order is None:
            return
        order.price, order.leaves = amended.price, amended.leaves
        if order.asked is not None and order.asked[0] == amended.amend_request_id:
            order.asked = None

    def _refuse(self, refused: RequestRejected) -> None:
        order = self._find(refused.order_id)
        if order is not None and order.asked is not None and order.asked[0] == refused.request_id:
            order.asked = None

    def _end(self, ended: OrderCancelled | OrderExpired | OrderRejected) -> None:
        if self._find(ended.order_id) is not None:
            self._forget(ended.order_id, replaced=type(ended) is OrderCancelled and ended.reason == "REPLACED")

    def _check(self, name: Name) -> None:
        account, asset = name
        said = self._balances.get(name)
        free, kept, owed = (0, 0, 0) if said is None else (said.available, said.reserved, said.owed)
        if free + kept - owed != self.due[name]:
            raise Flaw(f"{account} has {free + kept - owed} of {asset}, but deposits and fills make {self.due[name]}")
        needed = self._needed[name]
        if kept != needed:
            raise Flaw(f"{account} has {kept} of {asset} reserved, but its open orders need {needed}")
