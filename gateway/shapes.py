"""Puts the rows that are kept in Redis into the shapes that are shown: integers into decimals, by the listing that they count in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from exchange.candles import SPANS
from exchange.instruments import Instrument, Rules
from exchange.messages import STOP_KINDS, Conditions
from exchange.money import from_units, minor_step
from exchange.statement import OrderLine, RequestLine
from gateway.analytics.shapes import turnover_text, vwap
from gateway.keys import BalanceRow as StoredBalance
from gateway.keys import CandleRow, FillRow, MarketRow, ReportRow, TradeRow
from gateway.shown import (
    BalanceShown,
    BookChange,
    CandleShown,
    Depth,
    FillShown,
    Indicative,
    Level,
    OrderShown,
    Outcome,
    ReportShown,
    Summary,
    TradeShown,
    Trigger,
)

Listings: TypeAlias = Mapping[tuple[str, int], Instrument]
"""Instruments by symbol and version of the listing."""
_PPM = 1_000_000
_PLAIN = Conditions()
_candle = msgspec.json.Decoder(CandleRow).decode


def summary(instrument: Instrument, view: MarketRow) -> Summary:
    """Show a market's present state."""
    price, quantity, day = instrument.price_text, instrument.quantity_text, view.day
    last, previous = day.close if day else None, view.previous_close
    if day and view.time_ms >= day.start_ms + SPANS["1d"]:  # a new day has begun, and nothing has been traded in it
        day, previous = None, last
    change = percent = None
    if last is not None and previous:
        change = price(last - previous)
        percent = from_units(round((last - previous) * 10_000 / previous), "0.01")
    bid, ask = view.bids[0] if view.bids else None, view.asks[0] if view.asks else None
    return Summary(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        tick=instrument.tick,
        lot=instrument.lot,
        seq=view.trades,
        time_ms=view.time_ms,
        last=None if last is None else price(last),
        change=change,
        change_percent=percent,
        open=price(day.open) if day else None,
        high=price(day.high) if day else None,
        low=price(day.low) if day else None,
        volume=quantity(day.volume if day else 0),
        trades=view.trades,
        bid=price(bid[0]) if bid else None,
        bid_quantity=quantity(bid[1]) if bid else None,
        ask=price(ask[0]) if ask else None,
        ask_quantity=quantity(ask[1]) if ask else None,
        spread=price(ask[0] - bid[0]) if bid and ask and ask[0] >= bid[0] else None,
        listing=view.listing,
        phase=view.phase,
        delisted=view.delisted,
        indicative=_indicative(instrument, view.indication) if view.indication else None,
    )


def _indicative(instrument: Instrument, indication: tuple[int, int, int]) -> Indicative:
    price, volume, imbalance = indication
    return Indicative(
        price=instrument.price_text(price) if price else None,
        volume=instrument.quantity_text(volume),
        imbalance=instrument.quantity_text(imbalance),
    )


def depth(instrument: Instrument, view: MarketRow, levels: int) -> Depth:
    """Show the best prices of a book."""
    bids, asks = view.bids[:levels], view.asks[:levels]
    greatest = max(sum(quantity for _, quantity in side) for side in (bids, asks)) or 1
    buy_max, sell_min = collar(view.rules, view.reference)
    return Depth(
        symbol=instrument.symbol,
        seq=view.deltas,
        time_ms=view.time_ms,
        bids=_levels(instrument, bids, greatest),
        asks=_levels(instrument, asks, greatest),
        listing=view.listing,
        phase=view.phase,
        buy_max=None if buy_max is None else instrument.price_text(buy_max),
        sell_min=None if sell_min is None else instrument.price_text(sell_min),
    )


def collar(rules: Rules, auction_price: int | None) -> tuple[int | None, int | None]:
    """Return the highest price of a buy and the lowest one of a sell, in ticks, rounded towards the reference; None: no bound.

    `auction_price` is that of the last auction, if any has traded.

    >>> collar(Rules(collar_ppm=100_000), 105), collar(Rules(), 105)
    ((115, 95), (None, None))
    """
    reference = auction_price or rules.reference
    if not rules.collar_ppm or not reference:
        return None, None
    away = reference * rules.collar_ppm // _PPM
    return reference + away, reference - away


def _levels(instrument: Instrument, side: list[tuple[int, int]], greatest: int) -> list[Level]:
    total, shown = 0, []
    for price, quantity in side:
        total += quantity
        shown.append(
            Level(
                price=instrument.price_text(price),
                quantity=instrument.quantity_text(quantity),
                total=instrument.quantity_text(total),
                share=max(1, 100 * total // greatest),
            )
        )
    return shown


def book_change(
    instrument: Instrument, view: MarketRow, changed: tuple[dict[int, int], dict[int, int]] | None
) -> BookChange:
    """Show what leads to the present state of a book, best prices first; `changed` None: it is not known."""
    bids, asks = changed or ({}, {})
    text = [
        [(instrument.price_text(price), instrument.quantity_text(side[price])) for price in sorted(side, reverse=down)]
        for side, down in ((bids, True), (asks, False))
    ]
    return BookChange(seq=view.deltas, time_ms=view.time_ms, bids=text[0], asks=text[1], complete=changed is not None)


def trade(instrument: Instrument, row: TradeRow, busted: Collection[int] = ()) -> TradeShown:
    """Show a trade; `busted` are the numbers of those that are undone."""
    return TradeShown(
        id=f"{instrument.symbol}-{row.seq}",
        seq=row.seq,
        time_ms=row.time_ms,
        price=instrument.price_text(row.price),
        quantity=instrument.quantity_text(row.quantity),
        taker_side="buy" if row.buy else "sell",
        auction=row.auction,
        taker_order=row.taker_order,
        busted=row.seq in busted,
    )


def fill(row: FillRow, instrument: Instrument, *, busted: bool) -> FillShown:
    """Show a fill. `busted`: its trade is undone."""
    step = minor_step(instrument.quote_scale)
    return FillShown(
        id=f"{row.symbol}-{row.trade}",
        trade=row.trade,
        order_id=row.order_id,
        request_id=row.request_id,
        symbol=row.symbol,
        side="buy" if row.buy else "sell",
        price=instrument.price_text(row.price),
        quantity=instrument.quantity_text(row.quantity),
        amount=from_units(row.price * row.quantity * instrument.notional_units, step),
        fee=from_units(row.fee, step),
        quote=instrument.quote,
        maker=row.maker,
        time_ms=row.time_ms,
        seq=row.seq,
        listing=row.listing,
        busted=busted,
    )


def report(row: ReportRow, instrument: Instrument) -> ReportShown:
    """Show what happened to an order."""
    return ReportShown(
        seq=row.seq,
        event=row.event,
        request_id=row.request_id,
        order=order(row.order, instrument, busted=False),
        fill=None if row.fill is None else fill(row.fill, instrument, busted=False),
    )


def candle(instrument: Instrument, row: CandleRow) -> CandleShown:
    """Show a candle."""
    price = instrument.price_text
    return CandleShown(
        start_ms=row.start_ms,
        open=price(row.open),
        high=price(row.high),
        low=price(row.low),
        close=price(row.close),
        volume=instrument.quantity_text(row.volume),
        trades=row.rank[1],
        turnover=turnover_text(row.turnover, instrument),
        vwap=vwap(row.turnover, row.volume, instrument),
        closed=bool(row.rank[2]),
    )


def candles(instrument: Instrument, view: MarketRow, rows: Iterable[bytes]) -> list[CandleShown]:
    """Show the candles that count in the present ticks and lots: none of a listing before, and none of one that is not known yet."""
    found = map(_candle, rows)
    return [candle(instrument, row) for row in found if view.since <= row.rank[0] <= view.listing]


def balance(asset: str, row: StoredBalance, listed: Iterable[Instrument]) -> BalanceShown:
    """Show a balance with the decimals that the asset has in the listings."""
    step = minor_step(_scale(asset, listed))
    return BalanceShown(
        asset=asset,
        available=from_units(row.available, step),
        reserved=from_units(row.reserved, step),
        total=from_units(row.available + row.reserved, step),
        seq=row.seq,
        owed=from_units(row.owed, step),
    )


def _scale(asset: str, listed: Iterable[Instrument]) -> int:
    for instrument in listed:
        if asset == instrument.base:
            return instrument.base_scale
        if asset == instrument.quote:
            return instrument.quote_scale
    return 0


def outcome(line: RequestLine, repeat: RequestLine | None) -> Outcome:
    """Show what became of a request, and what its last repeat was told."""
    return Outcome(
        request_id=line.request_id,
        state="ACCEPTED" if line.reason is None else "REJECTED",
        reason=line.reason,
        order_id=line.order_id,
        repeat=repeat.reason if repeat and repeat.reason == "DUPLICATE" else None,
        time_ms=line.time_ms,
        seq=(repeat or line).seq,  # the numbers of two channels do not compare
    )


def order(line: OrderLine, instrument: Instrument, *, busted: bool) -> OrderShown:
    """Show an order. `busted`: a fill of it is undone."""
    price, quantity = instrument.price_text, instrument.quantity_text
    filled = line.quantity - line.leaves
    return OrderShown(
        order_id=line.order_id,
        request_id=line.request_id,
        symbol=line.symbol,
        side=line.side,
        kind=line.kind,
        time_in_force=line.time_in_force,
        expires_ms=line.expires_ms,
        price=price(line.price),
        quantity=quantity(line.quantity),
        filled=quantity(filled),
        leaves=quantity(line.leaves),
        amount=from_units(line.value * instrument.notional_units, minor_step(instrument.quote_scale)),
        fees=from_units(line.fees, minor_step(instrument.quote_scale)),
        average=price((line.value + filled // 2) // filled) if filled else None,
        state=line.state,
        reason=line.reason,
        placed_ms=line.placed_ms,
        time_ms=line.time_ms,
        seq=line.seq,
        listing=line.listing,
        trigger=_trigger(line),
        amended=line.amended,
        busted=busted,
        stop=price(line.stop) if line.stop else None,
        **conditions(line.conditions, instrument),
    )


def conditions(asked: Conditions | None, instrument: Instrument) -> dict[str, Any]:
    """Return what `OrderShown` says of conditions, but for the stop, which may have been changed."""
    price, quantity = instrument.price_text, instrument.quantity_text
    asked = asked or _PLAIN
    return {
        "trail": price(asked.trail) if asked.trail else None,
        "peg": asked.peg,
        "offset": price(asked.offset) if asked.peg else None,
        "display": quantity(asked.display) if asked.display else None,
        "post_only": asked.post_only,
        "min_quantity": quantity(asked.min_quantity) if asked.min_quantity else None,
        "all_or_none": asked.all_or_none,
        "self_trade": asked.self_trade,
    }


def _trigger(line: OrderLine) -> Trigger | None:
    if line.kind not in STOP_KINDS:
        return None
    return "TRIGGERED" if line.triggered else "WAITING"
