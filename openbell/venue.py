"""How a command finds the venue that it is for, and how what goes wrong on the way is told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Literal, cast

import typer

from exchange.errors import ExchangeError
from exchange.topics import TRADES, topic_name
from openbell.console import settings_of
from openbell.errors import NotReadyError, OpenbellError, SettingError

if TYPE_CHECKING:
    from replay.pace import Stop

BOOTSTRAP_SERVERS: str | None = typer.Option(
    None, "--bootstrap-servers", help="Kafka's HOST:PORT.", show_default="that of the stack that is up"
)
VENUE: str | None = typer.Option(
    None, "--venue", help="The venue, which is the prefix of its topics.", show_default="that of the stack that is up"
)


@dataclass(frozen=True)
class Venue:
    """Where a venue is, and what is fixed for its life."""

    bootstrap_servers: str
    name: str
    clock: Literal["live", "replay"]
    account_shards: int


def venue_of(context: typer.Context, bootstrap_servers: str | None, name: str | None) -> Venue:
    """Find the venue: of the stack that is up, or, when `bootstrap_servers` is given, as the settings say.

    Raises:
        NotReadyError: if no stack is up and no server is named.
        SettingError: if the venue's name cannot be one.

    """
    settings = settings_of(context)
    if bootstrap_servers is None:
        from openbell import stack

        up = stack.running(settings)
        bootstrap_servers, settings = up.bootstrap_servers, up.settings
    try:
        topic_name(name or settings.venue, TRADES)
    except ExchangeError as error:
        raise SettingError(str(error)) from error
    clock = cast(Literal["live", "replay"], settings.clock)
    return Venue(bootstrap_servers, name or settings.venue, clock, settings.account_shards)


@contextmanager
def reaching() -> Iterator[None]:
    """Turn the errors of `exchange` and `wire` into the command line's own."""
    from wire.errors import NotReachableError, WireError

    try:
        yield
    except NotReachableError as error:
        raise NotReadyError(str(error)) from error
    except (WireError, ExchangeError) as error:
        raise OpenbellError(str(error)) from error


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Ask for a stop in good order on the first SIGINT or SIGTERM; the second works as ever."""
    from replay.pace import Stop

    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        stop.asked = True
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
