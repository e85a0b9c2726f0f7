"""`openbell sim`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from openbell.console import OUT
from openbell.errors import OpenbellError, SettingError

if TYPE_CHECKING:
    import uvicorn

    from exchange.listing_file import Listing

EXAMPLE = "openbell sim --port 8000 --symbols AAPL,MSFT --latency 40:15"
SPEED = 86_400.0
KEY_BYTES = 24


def sim(
    host: str = typer.Option("127.0.0.1", help="The address to listen on."),
    port: int = typer.Option(8_000, min=0, max=65_535, help="0: any free one."),
    symbols: str = typer.Option("", help="Only these of the listings, such as AAPL,MSFT.", show_default="all"),
    listings: Path | None = typer.Option(None, help="A listing file.", show_default="the one that is installed"),
    account_cash: int = typer.Option(
        1_000_000, min=0, max=10**9, help="What the account begins with, in whole units of each currency."
    ),
    makers: bool = typer.Option(True, help="Have somebody quote and trade in every symbol."),
    analysis: bool = typer.Option(True, help="Compute candles, indicators and signals."),
    replay: bool = typer.Option(False, "--replay", help="Replay 13 years of daily prices of five stocks instead."),
    speed: float = typer.Option(SPEED, min=1, max=1e9, help="With --replay: seconds of the data's time in a second."),
    latency: str = typer.Option("", metavar="MS[:JITTER]", help="How late requests and pushed messages are."),
    refuse: float = typer.Option(0, min=0, max=100, metavar="PERCENT", help="How many commands are not taken."),
    disconnect: float = typer.Option(
        0, min=0, metavar="SECONDS", help="How often all websockets are dropped; 0: never."
    ),
    seed: int = typer.Option(1, min=0, max=2**31, help="The same seed gives the same chance."),
    allowed_host: list[str] = typer.Option(
        [], metavar="NAME", help="A further host name to answer to; * allows all; may be given often."
    ),
    api_key: str = typer.Option("", metavar="KEY:SECRET", help="The API key.", show_default="a new one"),
) -> None:
    """Run a whole venue in this one process, to try things out and to test bots: no Kafka, Flink or Redis, and nothing is kept.

    It has one account, 'demo', which the API key and whoever gives none trade with. 'POST /sandbox/reset' makes the venue anew.
    Ctrl-C ends it.
    """
    latency_ms, jitter_ms = _latency(latency)
    key, secret = _key(api_key)
    chosen = _chosen(listings, symbols)
    if replay and (symbols or listings):
        raise SettingError("--replay brings its own five symbols: leave --symbols and --listings away")

    from gateway.security import LOCAL_HOSTS
    from gateway.server import listening
    from gateway.sim.keys import OneKey
    from openbell.sim.server import Simulator, serving
    from openbell.sim.world import ACCOUNT, SimSettings

    settings = SimSettings(
        listings=chosen,
        cash=account_cash,
        makers=makers,
        analysis=analysis,
        seed=seed,
        replay_speed=speed if replay else None,
        latency_ms=latency_ms,
        jitter_ms=jitter_ms,
        refused_share=refuse / 100,
        allowed_hosts=(*LOCAL_HOSTS, host, *allowed_host),
    )
    try:
        listener = listening(host, port)
    except OSError as error:
        raise OpenbellError(str(error)) from error
    url = f"http://{host}:{listener.getsockname()[1]}"

    def begin() -> uvicorn.Server:
        return serving(Simulator(settings, disconnect_s=disconnect, identities=OneKey(key, secret, ACCOUNT)))

    from openbell.sim.foreground import serve

    with listener:
        serve(begin, listener, lambda: _greet(url, key, secret))


def _latency(text: str) -> tuple[float, float]:
    """Read MS[:JITTER]."""
    latency, _, jitter = text.partition(":")
    try:
        found = float(latency or 0), float(jitter or 0)
    except ValueError:
        found = (-1.0, 0.0)
    if not all(0 <= each <= 60_000 for each in found):
        raise SettingError(f"--latency {text!r} is not MS or MS:JITTER, milliseconds from 0 to 60000, such as 40:15")
    return found


def _key(text: str) -> tuple[str, str]:
    """Read KEY:SECRET, or make them."""
    from secrets import token_urlsafe

    if not text:
        return token_urlsafe(KEY_BYTES), token_urlsafe(KEY_BYTES)
    key, _, secret = text.partition(":")
    if not (key and secret and text.isascii() and text.isprintable()) or "." in key or " " in text:
        raise SettingError(
            "--api-key is not KEY:SECRET, letters, digits and signs without blanks, the key without a dot"
        )
    return key, secret


def _chosen(path: Path | None, symbols: str) -> dict[str, Listing]:
    """Return the listings that are wanted."""
    from openbell.listings import load

    listed = load(path)
    wanted = [word.strip().upper() for word in symbols.split(",") if word.strip()] or list(listed)
    for symbol in wanted:
        if symbol not in listed:
            raise SettingError(f"there is no listing of {symbol!r}; there are those of {', '.join(listed)}")
    return {symbol: listed[symbol] for symbol in wanted}


def _greet(url: str, key: str, secret: str) -> None:
    sockets = url.replace("http://", "ws://")
    lines = (
        f"A simulated venue is open at {url} (nothing of it is kept; Ctrl-C ends it).",
        f"  pages           {url}/",
        f"  native REST     {url}/api/native/markets   with the header X-Api-Key: {key}.{secret}",
        f"  API key         {key}",
        f"  API secret      {secret}",
        '  ccxt            e = ccxt.binance({"apiKey": KEY, "secret": SECRET, "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}})',
        f'                  e.urls["api"].update(public="{url}/api/v3", private="{url}/api/v3")',
        f'  python-binance  Client.API_URL = "{url}/api"; client = Client(KEY, SECRET)',
        f"  streams         {sockets}/ws   {sockets}/stream",
        f"  begin anew      curl -X POST {url}/sandbox/reset",
    )
    for line in lines:
        OUT.print(line, markup=False, soft_wrap=True)
