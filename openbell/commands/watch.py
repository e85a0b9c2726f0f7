"""`openbell watch`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from openbell.console import ERR, OUT, print_json
from openbell.venue import BOOTSTRAP_SERVERS, VENUE, Venue, reaching, stop_on_signal, venue_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from openbell.market import Markets
    from replay.pace import Stop
    from wire.reader import Reader

EXAMPLE = "openbell watch --once"
REFRESHES_PER_S = 4


def watch(
    context: typer.Context,
    once: bool = typer.Option(False, "--once", help="Print the present state and end."),
    as_json: bool = typer.Option(False, "--json", help="Print the present state as JSON and end."),
    bootstrap_servers: str | None = BOOTSTRAP_SERVERS,
    venue: str | None = VENUE,
) -> None:
    """Show the market live: last price and its change, best bid and ask, the day's volume, trades. Ctrl-C ends it.

    Where the output is no terminal, it prints the present state and ends, as with --once.
    """
    at = venue_of(context, bootstrap_servers, venue)
    with reaching(), stop_on_signal() as stop:
        from openbell.market import TOPICS, Markets
        from wire.reader import Reader

        markets = Markets(at.name)
        with Reader(at.bootstrap_servers, at.name, TOPICS) as reader:
            _catch_up(reader, markets, stop)
            if as_json:
                print_json({"venue": at.name, "time_ms": markets.time_ms(), "markets": markets.snapshot()})
            elif once or not OUT.is_terminal:
                OUT.print(draw(at, markets, live=False))
            else:
                _follow(at, reader, markets, stop)


def _catch_up(reader: Reader, markets: Markets, stop: Stop) -> None:
    """Read what there is, with a progress bar on a terminal."""
    from rich.progress import Progress

    with Progress(console=ERR, disable=not ERR.is_terminal, transient=True) as progress:
        task = progress.add_task("reading", total=None)
        for record in reader.to_end(lambda done, total: progress.update(task, completed=done, total=total)):
            markets.add(record)
            if stop.asked:
                return


def _follow(at: Venue, reader: Reader, markets: Markets, stop: Stop) -> None:
    """Show what comes until `stop` is asked for."""
    from rich.live import Live

    with Live(console=OUT, auto_refresh=False, screen=False) as live:
        shown_s = 0.0
        while not stop.asked:
            for record in reader.poll():
                markets.add(record)
            now_s = time.monotonic()
            if now_s - shown_s >= 1 / REFRESHES_PER_S:
                markets.sample(now_s)
                live.update(draw(at, markets, live=True), refresh=True)
                shown_s = now_s


def draw(at: Venue, markets: Markets, *, live: bool) -> RenderableType:
    """Draw a header and a table."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from openbell.market import time_text

    header = f"venue {at.name}   data time {time_text(markets.time_ms())} UTC"
    rows = markets.snapshot()
    if not rows:
        return Group(Text(header, style="bold"), Text("nothing is listed yet; 'openbell replay' brings real prices"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["SYMBOL", "LAST", "CHANGE", "BID", "ASK", "DAY'S VOLUME", "TRADES"]
    for column in [*columns, "TRADES/S"] if live else columns:
        table.add_column(column, justify="left" if column == "SYMBOL" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["symbol"],
            row["last"] or "-",
            _change(row["change_percent"]),
            _quote(row["bid_quantity"], row["bid"]),
            _quote(row["ask_quantity"], row["ask"]),
            row["day_volume"] or "-",
            str(row["trades"]),
            *([f"{markets.trades_per_s(row['symbol']):.1f}"] if live else []),
        )
    return Group(Text(header, style="bold"), table)


def _change(percent: float | None) -> Any:
    from rich.text import Text

    if percent is None:
        return "-"
    return Text(f"{percent:+.2f} %", style="green" if percent > 0 else "red" if percent < 0 else "")


def _quote(quantity: str | None, price: str | None) -> str:
    return "-" if price is None else f"{quantity} x {price}"
