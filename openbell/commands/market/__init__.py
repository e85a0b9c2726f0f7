"""`openbell market`: what an operator does, an action each."""

import typer

from openbell.commands.market import listing, people, show, trading

EXAMPLE = "openbell market show"

ACTIONS = (
    ("list", listing.list_, "openbell market list AAPL INFY"),
    ("relist", listing.relist, "openbell market relist AAPL --tick 0.05 --collar 10 --band 5"),
    ("delist", listing.delist, "openbell market delist AAPL"),
    ("fees", listing.fees, "openbell market fees AAPL --tier 0:0.1 --tier -0.01:0.05"),
    ("phase", trading.phase, "openbell market phase AAPL opening-auction"),
    ("halt", trading.halt, "openbell market halt AAPL"),
    ("resume", trading.resume, "openbell market resume AAPL"),
    ("cancel", trading.cancel, "openbell market cancel AAPL"),
    ("bust", trading.bust, "openbell market bust AAPL 17 --yes"),
    ("release", trading.release, "openbell market release AAPL"),
    ("limits", people.limits, "openbell market limits alice --open-orders 100 --orders-per-s 50"),
    ("kill", people.kill, "openbell market kill alice"),
    ("revive", people.revive, "openbell market revive alice"),
    ("endow", people.endow, "openbell market endow alice"),
    ("show", show.show, "openbell market show AAPL"),
)
"""Name, function and example of each action."""

market = typer.Typer(
    no_args_is_help=True,
    help="Run the market: list symbols, change phases, halt and resume, set fees and limits, undo a trade.\n\n"
    "Each action writes commands to the venue's log and ends when the log shows what they did. docs/OPERATING.md tells more.",
)
for _name, _function, _example in ACTIONS:
    market.command(_name, epilog=f"Example: {_example}")(_function)
