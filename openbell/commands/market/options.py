"""What the actions of `openbell market` have in common: options, and how they say what happened."""

from __future__ import annotations

from typing import Any

import typer

from openbell.console import OUT, print_json

SYMBOL: str = typer.Argument(help="The symbol, as it is listed.", show_default=False)
ACCOUNT: str = typer.Argument(help="The account's name.", show_default=False)
TIMEOUT_S: float = typer.Option(30, "--timeout", min=0.1, max=3_600, help="Seconds to wait until the log shows it.")
AS_JSON: bool = typer.Option(False, "--json", help="Print JSON.")


def tell(as_json: bool, sentence: str, **facts: Any) -> None:
    """Say what happened: as a sentence, or as JSON with that sentence in it."""
    if as_json:
        print_json({**facts, "happened": sentence})
    else:
        OUT.print(sentence, markup=False, soft_wrap=True)
