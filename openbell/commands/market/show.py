"""The action of `openbell market` that only looks: show."""

from __future__ import annotations

from typing import Any

import typer

from openbell.commands.market.options import AS_JSON
from openbell.console import OUT, print_json, print_table
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, reaching, venue_of


def show(
    context: typer.Context,
    symbol: str | None = typer.Argument(None, help="One symbol, in full.", show_default="all, a line each"),
    as_json: bool = AS_JSON,
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Show what is listed, its phase, rules and best prices, and what an auction that is on would do."""
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        from openbell.board import read_board

        board = read_board(at.bootstrap_servers, at.name)
    if symbol is None:
        rows = [market.row() for _, market in sorted(board.markets.items())]
        if as_json:
            print_json({"venue": at.name, "markets": rows})
        else:
            _table(rows)
        return
    row = board.market(symbol).row()
    if as_json:
        print_json(row)
    else:
        _full(row)


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        OUT.print("nothing is listed yet; 'openbell market list --all' lists what the listing file has")
        return
    print_table(
        ["SYMBOL", "PHASE", "VERSION", "RULE", "TICK", "LOT", "BID", "ASK", "AUCTION"],
        [
            [
                row["symbol"],
                "delisted" if row["delisted"] else row["phase"],
                row["listing"],
                row["rules"]["matching"],
                row["instrument"]["tick"],
                row["instrument"]["lot"],
                _of(row["bid_quantity"], row["bid"]),
                _of(row["ask_quantity"], row["ask"]),
                _of(row["auction_quantity"], row["auction_price"]),
            ]
            for row in rows
        ],
        numbers=(2, 4, 5, 6, 7, 8),
    )


def _full(row: dict[str, Any]) -> None:
    from openbell.market import time_text
    from openbell.rates import percent_text

    listed, rules = row["instrument"], row["rules"]
    lines = [
        ("symbol", f"{row['symbol']}: {listed['base']} in {listed['quote']}"),
        ("phase", "delisted" if row["delisted"] else row["phase"]),
        ("listing", f"version {row['listing']}, tick {listed['tick']}, lot {listed['lot']}"),
        ("rule", rules["matching"]),
        ("collar", f"{percent_text(rules['collar_ppm'])} %" if rules["collar_ppm"] else "none"),
        ("band", _band(rules)),
        ("bid", _of(row["bid_quantity"], row["bid"]) or "none"),
        ("ask", _of(row["ask_quantity"], row["ask"]) or "none"),
        ("auction", _auction(row)),
        ("as of", f"{time_text(row['time_ms'])} UTC"),
    ]
    for name, text in lines:
        OUT.print(f"{name:<8} {text}", markup=False, soft_wrap=True)


def _band(rules: dict[str, Any]) -> str:
    from openbell.rates import percent_text

    if not rules["band_ppm"]:
        return "none"
    return f"{percent_text(rules['band_ppm'])} %, then {rules['interruption_ms'] / 1_000:g} s of interruption"


def _auction(row: dict[str, Any]) -> str:
    if row["auction_price"] is None:
        return "none"
    return (
        f"{row['auction_quantity']} x {row['auction_price']}, imbalance {row['auction_imbalance']} (above 0: of buyers)"
    )


def _of(quantity: str | None, price: str | None) -> str | None:
    return None if price is None else f"{quantity} x {price}"
