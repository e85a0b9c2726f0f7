"""An account's fills and reports, held against the order reports that the machines wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exchange import messages as m
from exchange import topics
from exchange.packets import decode_order_reports
from exchange.statement import OrderLine
from gateway import shapes
from gateway.shown import FillShown, Reports
from gateway.views import NEW_REPORTS, RedisViews
from tests.gateway.projected import AAPL, COIN, NOW_MS, Projected, market

ACCOUNTS = ("ann", "bob", "cy")
LISTED = {each.symbol: each for each in (AAPL, COIN)}
EVENTS = {
    m.OrderAccepted: "ACCEPTED",
    m.OrderAmended: "AMENDED",
    m.OrderTriggered: "TRIGGERED",
    m.OrderFilled: "FILLED",
    m.OrderCancelled: "CANCELLED",
    m.OrderExpired: "EXPIRED",
}


def read(projected: Projected, asked: Callable[[RedisViews], Awaitable[Any]]) -> Any:
    async def reading() -> Any:
        views = RedisViews(projected.url, projected.name, lambda: NOW_MS)
        try:
            return await asked(views)
        finally:
            await views.close()

    return asyncio.run(reading())


def fills(projected: Projected, account: str, limit: int = 1_000, symbol: str | None = None) -> list[FillShown]:
    found: list[FillShown] = read(projected, lambda views: views.fills(account, limit, symbol))
    return found


def reports(projected: Projected, account: str, after: int = 0) -> Reports:
    found: Reports = read(projected, lambda views: views.reports(account, after))
    return found


def told(projected: Projected, account: str) -> list[Any]:
    """What the machines said of an account, in order."""
    every = projected.venue.read(topics.ORDER_REPORTS, decode_order_reports)
    return [each for each in every if each.account == account]


def test_fills_and_reports_are_those_that_the_machines_told(redis_url: str, venue: str) -> None:
    seed = 7
    print(f"seed {seed}")
    projected = market(redis_url, venue)
    for _ in range(5):
        projected.trade_in_every_way(seed, 150)
        seed += 1
        projected.show()
    seen = 0
    for account in ACCOUNTS:
        said = told(projected, account)
        undone = {(each.symbol, each.trade) for each in said if type(each) is m.FillBusted}
        lines: dict[int, OrderLine] = {}
        expected = []
        for each in said:
            if type(each) is m.OrderAccepted:
                lines[each.order_id] = OrderLine.opened(each)
            elif type(each) in EVENTS:
                lines[each.order_id].add(each)
            else:
                continue
            line = lines[each.order_id]
            expected.append((each.seq, EVENTS[type(each)], shapes.order(line, LISTED[line.symbol], busted=False)))
        shown = reports(projected, account)
        assert shown.complete
        assert [(each.seq, each.event, each.order) for each in shown.reports] == expected
        filled = [each for each in said if type(each) is m.OrderFilled]
        assert [
            (each.seq, each.trade, each.order_id, each.side, each.price, each.quantity, each.maker, each.busted)
            for each in reversed(fills(projected, account))
        ] == [
            (
                each.seq,
                each.trade,
                each.order_id,
                each.side,
                LISTED[each.symbol].price_text(each.price),
                LISTED[each.symbol].quantity_text(each.quantity),
                each.liquidity == "maker",
                (each.symbol, each.trade) in undone,
            )
            for each in filled
        ]
        assert [each.fill for each in shown.reports if each.fill is not None] == [
            each if not each.busted else shapes_unbusted(each) for each in reversed(fills(projected, account))
        ]
        seen += len(filled)
    assert seen > 50


def shapes_unbusted(fill: FillShown) -> FillShown:
    """A report tells what was known when it was made."""
    return FillShown(**{name: getattr(fill, name) for name in fill.__struct_fields__ if name != "busted"})


def test_fills_of_one_symbol_are_found_behind_those_of_another(redis_url: str, venue: str) -> None:
    projected = market(redis_url, venue)
    for symbol in ("AAPLUSD", "COINUSD", "COINUSD"):
        projected.order("ann", "sell", 100, 5, symbol)
        projected.order("bob", "buy", 100, 5, symbol)
    projected.show()
    assert [fill.symbol for fill in fills(projected, "bob", 2)] == ["COINUSD", "COINUSD"]
    assert [fill.id for fill in fills(projected, "bob", 1, "AAPLUSD")] == ["AAPLUSD-1"]
    (fill,) = fills(projected, "bob", 1, "AAPLUSD")
    assert (fill.amount, fill.fee, fill.quote, fill.maker) == ("5.00000", "0.00000", "USD", False)


def test_reports_are_read_from_where_a_reader_stood_and_say_when_some_are_gone(
    redis_url: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.projecting.batch.REPORTS_MAX", NEW_REPORTS + 50)
    monkeypatch.setattr("gateway.views.REPORTS_MAX", NEW_REPORTS + 50)
    projected = market(redis_url, venue)
    for _ in range(NEW_REPORTS + 60):
        projected.order("ann", "buy", 100, 1)
    projected.show()
    every = [each.seq for each in told(projected, "ann")]
    assert len(every) > NEW_REPORTS + 50
    near = reports(projected, "ann", every[-3])
    assert ([each.seq for each in near.reports], near.complete) == (every[-2:], True)
    far = reports(projected, "ann", every[-NEW_REPORTS - 20])
    assert ([each.seq for each in far.reports], far.complete) == (every[-NEW_REPORTS - 19 :], True)
    gone = reports(projected, "ann", every[2])
    assert not gone.complete
    assert reports(projected, "nobody").reports == []
