"""The events of an account as Binance documents them, field by field. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gateway.binance.order_shapes import NO_LIST, queried, zero
from gateway.shown import BalanceShown, ReportEvent, ReportShown

_EXECUTIONS: Final[dict[ReportEvent, str]] = {
    "ACCEPTED": "NEW",
    "AMENDED": "REPLACED",
    "TRIGGERED": "NEW",
    "FILLED": "TRADE",
    "CANCELLED": "CANCELED",
    "EXPIRED": "EXPIRED",
}
_ENDED: Final = {"EXPIRED": "EXPIRED", "EXPIRED_IN_MATCH": "TRADE_PREVENTION"}
"""The executions of orders that the market took out, by the status that they have then."""
_BY_REQUEST: Final = ("CANCELLED", "AMENDED")


def execution_report(report: ReportShown, event_ms: int) -> dict[str, Any]:
    """Tell what happened to an order. A triggered stop order is told as new once more, then on the book."""
    order, fill, shown = report.order, report.fill, queried(report.order)
    by_request = report.event in _BY_REQUEST and bool(report.request_id)
    execution = _EXECUTIONS[report.event]
    if report.event == "CANCELLED":
        execution = _ENDED.get(shown["status"], execution)
    nothing = zero(order.quantity)
    event = {
        "e": "executionReport",
        "E": event_ms,
        "s": order.symbol,
        "c": report.request_id if by_request else order.request_id,
        "S": shown["side"],
        "o": shown["type"],
        "f": shown["timeInForce"],
        "q": shown["origQty"],
        "p": shown["price"],
        "P": shown["stopPrice"],
        "F": shown["icebergQty"],
        "g": NO_LIST,
        "C": order.request_id if by_request else "",
        "x": execution,
        "X": shown["status"],
        "r": "NONE",
        "i": order.order_id,
        "l": fill.quantity if fill else nothing,
        "z": shown["executedQty"],
        "L": fill.price if fill else zero(order.price),
        "n": fill.fee if fill else "0",
        "N": fill.quote if fill else None,
        "T": order.time_ms,
        "t": fill.trade if fill else -1,
        "I": report.seq,
        "w": order.state == "OPEN" and shown["isWorking"],
        "m": fill.maker if fill else False,
        "M": False,
        "O": shown["time"],
        "Z": shown["cummulativeQuoteQty"],
        "Y": fill.amount if fill else zero(shown["cummulativeQuoteQty"]),
        "Q": shown["origQuoteOrderQty"],
        "V": shown["selfTradePreventionMode"],
    }
    return event if shown["workingTime"] < 0 else {**event, "W": shown["workingTime"]}


def account_position(balances: Iterable[BalanceShown], event_ms: int) -> dict[str, Any]:
    """Tell balances that have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": event_ms,
        "u": event_ms,
        "B": [{"a": balance.asset, "f": balance.available, "l": balance.reserved} for balance in balances],
    }


def terminated(event_ms: int) -> dict[str, Any]:
    """Tell that no more events come."""
    return {"e": "eventStreamTerminated", "E": event_ms}
