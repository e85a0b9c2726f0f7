"""`openbell bridge`."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from openbell.commands.match import RULES, rule_of
from openbell.console import ERR, OUT, print_json
from openbell.errors import SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, reaching, stop_on_signal, venue_of

EXAMPLE = "openbell bridge seed-a --rule price-time"


def bridge(
    context: typer.Context,
    seed: str = typer.Argument(..., help="seed-a (stock_exchange_orders) or seed-b (incoming_orders)."),
    rule: str = typer.Option(
        "", "--rule", help=f"How to list what is not listed: {', '.join(RULES)}.", show_default="exact, equal-quantity"
    ),
    listings: Path | None = typer.Option(None, "--listings", help="A listing file.", show_default="the one installed"),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Bridge another design's topics to the venue until Ctrl-C: its orders in as @market flow, the venue's trades out.

    seed-a: stock_exchange_orders to successful_trade. seed-b: incoming_orders to MATCHED_TRADES, BUY_ORDERS and SELL_ORDERS.
    Topics that are missing are made. An instrument that nobody has listed is listed when its first order comes.

    It goes on where an earlier one ended, however that was; what is no order goes to the venue's dead letters. Run one at a time.
    """
    from exchange.seed_formats import FORMATS
    from gateway.bridges.running import run
    from openbell.listings import load

    if seed not in FORMATS:
        raise SettingError(f"there is no bridge {seed!r}, but {' and '.join(FORMATS)}")
    chosen = rule_of(rule)
    known = {symbol: listing.instrument for symbol, listing in load(listings).items()}
    at = venue_of(context, bootstrap_servers, venue)
    begun = time.monotonic()
    with reaching(), stop_on_signal() as stop:
        figures = run(
            at.bootstrap_servers,
            at.name,
            FORMATS[seed],
            known,
            rule=chosen,
            stopped=lambda: stop.asked,
            told=lambda text: ERR.print(f"openbell: {text}", markup=False, soft_wrap=True),
        )
    summary = {
        "bridge": seed,
        "venue": at.name,
        "orders": figures.orders,
        "refused": figures.refused,
        "trades": figures.trades,
        "seconds": round(time.monotonic() - begun, 3),
    }
    if as_json:
        print_json(summary)
    else:
        OUT.print(figures.text(), soft_wrap=True)
