"""`openbell key`: the API keys of users."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from openbell.console import OUT, print_json
from openbell.directory import ask, plain, when

if TYPE_CHECKING:
    from gateway.identity.api_keys import KeyShown

EXAMPLE = "openbell key create alice --scope read --scope trade"
DAY_MS = 86_400_000

USER: str = typer.Argument(help="The user's name.", show_default=False)
AS_JSON: bool = typer.Option(False, "--json", help="Print JSON.")


def create(
    context: typer.Context,
    user: str = USER,
    scope: list[str] = typer.Option(["read"], "--scope", help="read, trade or admin. May be repeated."),
    network: list[str] = typer.Option(
        [], "--network", help="An address or network (CIDR) from which alone it may be used. May be repeated."
    ),
    days: int | None = typer.Option(
        None, "--days", min=1, max=3_650, help="Days until it expires.", show_default="never"
    ),
    account: str | None = typer.Option(
        None, "--account", help="The only account it is for.", show_default="all that its user may use"
    ),
    label: str = typer.Option("", "--label", help="What it is for."),
    as_json: bool = AS_JSON,
) -> None:
    """Make an API key and print its secret, which nobody can be shown again."""
    expires_ms = None if days is None else time.time_ns() // 1_000_000 + days * DAY_MS
    key_id, secret = ask(
        context,
        lambda at, by: at.keys.create(user, scope, network, expires_ms, label, account=account, by=by),
    )
    if as_json:
        print_json({"key_id": key_id, "secret": secret})
        return
    OUT.print(f"key    {key_id}\nsecret {secret}", markup=False, soft_wrap=True)


def list_(context: typer.Context, user: str = USER, as_json: bool = AS_JSON) -> None:
    """List the API keys of a user, the newest first."""

    async def work(at: Any, by: str) -> list[KeyShown]:
        del by
        await at.users.get(user)
        shown: list[KeyShown] = await at.keys.of(user)
        return shown

    shown = ask(context, work)
    if as_json:
        print_json([plain(key) for key in shown])
        return
    for key in shown:
        OUT.print(key.key_id, markup=False, soft_wrap=True)
        OUT.print(f"    {_facts(key)}", markup=False, soft_wrap=True)


def revoke(
    context: typer.Context,
    key: str = typer.Argument(help="The key's id.", show_default=False),
    as_json: bool = AS_JSON,
) -> None:
    """End an API key, everywhere within a second."""
    ask(context, lambda at, by: at.keys.revoke(key, by=by))
    if as_json:
        print_json({"key_id": key, "revoked": True})
    else:
        OUT.print(f"the key {key} is no longer valid", markup=False, soft_wrap=True)


def renew(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """Encrypt all secrets anew by the first key of the secret key's file, after which its other keys can go."""
    count = ask(context, lambda at, _: at.renew_seals())
    if as_json:
        print_json({"renewed": count})
    else:
        OUT.print(f"{count} secrets are encrypted by the first secret key now", markup=False, soft_wrap=True)


def _facts(key: KeyShown) -> str:
    until = f"revoked {when(key.revoked_ms)}" if key.revoked_ms else f"expires {when(key.expires_ms) or 'never'}"
    facts = [key.label, f"may {' '.join(key.scopes)}", f"from {' '.join(key.networks) or 'anywhere'}"]
    facts += [f"for {key.account or 'all accounts of its user'}", f"made {when(key.created_ms)}", until]
    return ", ".join(filter(None, facts))


ACTIONS = (
    ("create", create, EXAMPLE),
    ("list", list_, "openbell key list alice"),
    ("revoke", revoke, "openbell key revoke KEY"),
    ("renew", renew, "openbell key renew"),
)
"""Name, function and example of each action."""

key = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke API keys, with which programs trade for a user.\n\n"
    "It works on the database of the settings, whether or not a stack is up. docs/IDENTITY.md tells more.",
)
for _name, _function, _example in ACTIONS:
    key.command(_name, epilog=f"Example: {_example}")(_function)
