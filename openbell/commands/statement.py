"""`openbell statement`."""

from __future__ import annotations

from typing import Any

import typer

from openbell.console import ERR, OUT, print_json, print_table
from openbell.errors import OpenbellError, SettingError
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, venue_of

EXAMPLE = "openbell statement alice"


def statement(
    context: typer.Context,
    account: str = typer.Argument(help="The account's name.", show_default=False),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Print where an account stands: balances, open orders, trades, fees and realised profit.

    It runs the account's shard again from the beginning of its inbox, and so reads all of that.
    """
    if not 1 <= len(account) <= 64:
        raise SettingError("an account's name has 1 to 64 characters")
    at = venue_of(context, bootstrap_servers, venue)
    with reaching():
        found = _statement(at, account)
    if as_json:
        print_json({"venue": at.name, "account": account, **found})
    else:
        _print(account, found)


def _statement(at: Venue, account: str) -> dict[str, Any]:
    """Add up what the account's shard says of it, with a progress bar on a terminal."""
    from rich.progress import Progress

    from openbell.account_log import rerun
    from openbell.statements import AccountView

    with Progress(console=ERR, disable=not ERR.is_terminal, transient=True) as progress:
        task = progress.add_task("reading the inbox", total=None)
        again, events = rerun(at, account, lambda done, total: progress.update(task, completed=done, total=total))
    view = AccountView(again.listed)
    for event in events:
        view.add(event)
    if not view.opened:
        raise OpenbellError(f"venue {at.name} has no account {account}")
    return {
        "balances": view.balances(),
        "orders": view.orders(),
        "trades": view.trades(),
        "markets": view.markets(),
    }


def _print(account: str, found: dict[str, Any]) -> None:
    from openbell.market import time_text

    OUT.print(f"account {account}", style="bold", markup=False)
    print_table(
        ["ASSET", "AVAILABLE", "RESERVED", "OWED"],
        [[one["asset"], one["available"], one["reserved"], one["owed"]] for one in found["balances"]],
        numbers=(1, 2, 3),
    )
    OUT.print(f"\n{len(found['orders'])} orders open", style="bold")
    if found["orders"]:
        print_table(
            ["ORDER", "SYMBOL", "SIDE", "KIND", "PRICE", "QUANTITY", "LEFT"],
            [
                [one[name] for name in ("order_id", "symbol", "side", "kind", "price", "quantity", "leaves")]
                for one in found["orders"]
            ],
            numbers=(0, 4, 5, 6),
        )
    OUT.print(f"\n{len(found['trades'])} trades", style="bold")
    if found["trades"]:
        print_table(
            ["UTC", "SYMBOL", "TRADE", "SIDE", "PRICE", "QUANTITY", "FEE", ""],
            [
                [
                    time_text(one["time_ms"]),
                    *(one[name] for name in ("symbol", "trade", "side", "price", "quantity", "fee")),
                    "undone" if one["undone"] else "",
                ]
                for one in found["trades"]
            ],
            numbers=(2, 4, 5, 6),
        )
    if found["markets"]:
        OUT.print("\nrealised profit, fees taken off", style="bold")
        names = ("symbol", "trades", "bought", "sold", "fees", "profit_average", "profit_fifo", "asset")
        print_table(
            ["SYMBOL", "TRADES", "BOUGHT", "SOLD", "FEES", "BY AVERAGE COST", "BY FIFO", ""],
            [[one[name] for name in names] for one in found["markets"]],
            numbers=(1, 2, 3, 4, 5, 6),
        )
