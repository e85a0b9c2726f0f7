"""`openbell user`: who may sign in, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from openbell.console import OUT, print_json, print_table
from openbell.directory import ask, plain, read_password, when
from openbell.errors import SettingError

if TYPE_CHECKING:
    from gateway.identity.users import UserShown

EXAMPLE = "openbell user create alice --role trader"

NAME: str = typer.Argument(help="The user's name.", show_default=False)
AS_JSON: bool = typer.Option(False, "--json", help="Print JSON.")
ACCOUNT: str | None = typer.Option(None, "--account", help="Their own account.", show_default=False)
MAY: list[str] = typer.Option(
    [], "--may", help="Further accounts they may use: a name, or a pattern such as 'acme-*'. May be repeated."
)


def create(
    context: typer.Context,
    name: str = NAME,
    role: str = typer.Option("trader", "--role", help="viewer, trader, market-maker, operator or admin."),
    account: str | None = typer.Option(None, "--account", help="Their own account.", show_default="their name"),
    may: list[str] = MAY,
    as_json: bool = AS_JSON,
) -> None:
    """Make a user. The password is asked for on the terminal, or is the first line of stdin."""
    password = read_password(name)
    shown = ask(
        context,
        lambda at, by: at.users.create(name, password, role=role, account=account, accounts=tuple(may), by=by),
    )
    _tell(as_json, f"{shown.name} can sign in now", shown)


def list_(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """List all users."""
    shown = ask(context, lambda at, _: at.users.all())
    if as_json:
        print_json([plain(user) for user in shown])
        return
    columns = ["user", "role", "account", "may use", "second factor", "state"]
    print_table(columns, [[*_row(user)] for user in shown])


def show(context: typer.Context, name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Show a user and their open sessions."""

    async def work(at: Any, by: str) -> tuple[Any, Any]:
        del by
        return await at.users.get(name), await at.sessions.of(name)

    user, sessions = ask(context, work)
    if as_json:
        print_json(plain(user) | {"sessions": [plain(session) for session in sessions]})
        return
    print_table(["user", "role", "account", "may use", "second factor", "state"], [_row(user)])
    if sessions:
        rows = [[when(each.created_ms), when(each.seen_ms), each.address, each.user_agent] for each in sessions]
        print_table(["session since", "last seen", "from", "browser"], rows)


def role(
    context: typer.Context,
    name: str = NAME,
    role: str = typer.Argument(
        help="viewer, trader, market-maker, operator or admin.", show_default=False, metavar="ROLE"
    ),
    as_json: bool = AS_JSON,
) -> None:
    """Give a user another role. It holds everywhere within a second; websockets of theirs are closed."""
    shown = ask(context, lambda at, by: at.users.set_role(name, role, by=by))
    _tell(as_json, f"{shown.name} is {shown.role} now", shown)


def accounts(
    context: typer.Context,
    name: str = NAME,
    account: str | None = ACCOUNT,
    none: bool = typer.Option(False, "--none", help="They have no account of their own."),
    may: list[str] = MAY,
    as_json: bool = AS_JSON,
) -> None:
    """Say which accounts a user may trade with: their own, and those of --may in place of all there were."""
    if (account is None) == (not none):
        raise SettingError("name their own account with --account, or say --none")
    shown = ask(context, lambda at, by: at.users.set_accounts(name, account, tuple(may), by=by))
    _tell(as_json, f"{shown.name} may use: {' '.join(filter(None, (shown.account, *shown.accounts))) or 'none'}", shown)


def password(context: typer.Context, name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Give a user another password and end their sessions. It is asked for on the terminal, or is the first line of stdin."""
    given = read_password(name)

    async def work(at: Any, by: str) -> UserShown:
        await at.users.set_password(name, given, by=by)
        shown: UserShown = await at.users.get(name)
        return shown

    shown = ask(context, work)
    _tell(as_json, f"{shown.name} has another password now, and must sign in with it", shown)


def disable(context: typer.Context, name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Shut a user out: sessions end within a second, and keys are not valid until the user is enabled."""
    shown = ask(context, lambda at, by: at.users.disable(name, by=by))
    _tell(as_json, f"{shown.name} is shut out", shown)


def enable(context: typer.Context, name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Let a user in again that was shut out."""
    shown = ask(context, lambda at, by: at.users.enable(name, by=by))
    _tell(as_json, f"{shown.name} can sign in again", shown)


def reset_second_factor(context: typer.Context, name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Turn the second factor off for a user who has lost it, and end their sessions."""

    async def work(at: Any, by: str) -> UserShown:
        await at.second_factors.reset(name, by=by)
        shown: UserShown = await at.users.get(name)
        return shown

    shown = ask(context, work)
    _tell(as_json, f"{shown.name} has no second factor now", shown)


def _tell(as_json: bool, sentence: str, shown: UserShown) -> None:
    if as_json:
        print_json(plain(shown) | {"happened": sentence})
    else:
        OUT.print(sentence, markup=False, soft_wrap=True)


def _row(user: UserShown) -> list[Any]:
    factor, state = "on" if user.second_factor else "off", "shut out" if user.disabled else "active"
    return [user.name, user.role, user.account, " ".join(user.accounts) or None, factor, state]


ACTIONS = (
    ("create", create, EXAMPLE),
    ("list", list_, "openbell user list --json"),
    ("show", show, "openbell user show alice"),
    ("role", role, "openbell user role alice market-maker"),
    ("accounts", accounts, "openbell user accounts acme --account acme --may 'acme-*'"),
    ("password", password, "openbell user password alice < password.txt"),
    ("disable", disable, "openbell user disable alice"),
    ("enable", enable, "openbell user enable alice"),
    ("reset-second-factor", reset_second_factor, "openbell user reset-second-factor alice"),
)
"""Name, function and example of each action."""

user = typer.Typer(
    no_args_is_help=True,
    help="Make, show and change the users: who may sign in, and what they may do.\n\n"
    "It works on the database of the settings, whether or not a stack is up. docs/IDENTITY.md tells more.",
)
for _name, _function, _example in ACTIONS:
    user.command(_name, epilog=f"Example: {_example}")(_function)
