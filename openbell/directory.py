"""How commands reach the users: those of the settings' database, whether or not a stack is up."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from openbell.console import settings_of
from openbell.errors import NotReadyError, OpenbellError, SettingError

if TYPE_CHECKING:
    from gateway.identity.directory import Directory

T = TypeVar("T")


def ask(context: typer.Context, work: Callable[[Directory, str], Awaitable[T]]) -> T:
    """Do something with the users, and with who is doing it. What goes wrong is told as an OpenbellError.

    What is done is kept in the database for the audit log until a gateway takes it there.
    """
    from gateway.identity.database import BadDatabase
    from gateway.identity.directory import Directory
    from gateway.identity.errors import IdentityError, InvalidField
    from gateway.identity.ports import IdentitiesUnavailable
    from gateway.identity.secrets import BadSecretKey, load_secret
    from openbell.stack.gateway import database_url, secret_key_file

    settings = settings_of(context)
    path = secret_key_file(settings)

    async def working() -> T:
        async with Directory(
            database_url(settings), load_secret(path), tell=None, venue=settings.venue
        ).running() as it:
            return await work(it, f"command-line:{getpass.getuser()}")

    try:
        return asyncio.run(working())
    except InvalidField as error:
        raise SettingError(str(error)) from None
    except IdentitiesUnavailable as error:
        raise NotReadyError(str(error)) from None
    except (IdentityError, BadDatabase, BadSecretKey) as error:
        raise OpenbellError(str(error)) from None


def read_password(name: str) -> str:
    """Return a new password: asked for twice on a terminal, else the first line of stdin. Raises SettingError."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise SettingError("there is no password: write it on stdin, or run this on a terminal to be asked for it")
        return line
    first = getpass.getpass(f"New password of {name}: ")
    if first != getpass.getpass("Once more: "):
        raise SettingError("the passwords are not the same")
    return first


def when(at_ms: int | None) -> str | None:
    """Write a time for a person.

    >>> when(1_800_000_000_000)
    '2027-01-15 08:00 UTC'
    """
    return None if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC"


def plain(shown: Any) -> dict[str, Any]:
    """Return what is shown of a user or key as JSON can have it."""
    import msgspec

    built: dict[str, Any] = msgspec.to_builtins(shown)
    return built
