"""The users: who they are, what they may do and with which accounts."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final, cast, get_args

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity import passwords
from gateway.identity.core import Core
from gateway.identity.errors import InvalidField, NameTaken, NotAllowed, NotFound
from gateway.identity.models import SecondFactor, Session, User
from gateway.identity.principal import ACCOUNT, Role

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,31}")
PATTERN: Final = re.compile(r"[A-Za-z0-9_.*-]{1,64}")
PATTERNS_MAX: Final = 100
SIGNED_UP: Final = "user."
"""How the accounts begin of those who signed up by themselves: nobody else's patterns should match that."""
DRAWS: Final = 20
"""How many names with random digits are tried before somebody is told to take another."""


class UserShown(msgspec.Struct, frozen=True, kw_only=True):
    """A user, without anything secret. Times are milliseconds since the epoch."""

    name: str
    role: Role
    account: str | None
    accounts: tuple[str, ...]
    disabled: bool
    has_password: bool
    second_factor: bool
    created_ms: int


class Users:
    """Makes, shows and changes users. `by` is who does it; what is done holds everywhere within a second."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self,
        name: str,
        password: str | None,
        *,
        role: str = "trader",
        account: str | None = None,
        accounts: tuple[str, ...] = (),
        by: str = "",
    ) -> UserShown:
        """Make a user whose account, where none is named, is called as they are; no password: only another provider lets them in.

        Raises InvalidField, NameTaken, IdentitiesUnavailable.
        """
        check_name(name)
        hashed = None if password is None else await self._hash(password, name)
        own, wanted = account or name, check_role(role)
        check_accounts(own, accounts)
        try:
            async with self._core.database.write() as connection:
                await add(connection, self._core, name, hashed, wanted, own, accounts)
        except IntegrityError:
            raise NameTaken(f"There is a user {name!r}: take another name.") from None
        shown = await self.get(name)
        await self._core.told("user-created", shown.name, by=by, role=shown.role, account=shown.account or "")
        return shown

    async def all(self) -> list[UserShown]:
        """Return all users by name. Raises IdentitiesUnavailable."""
        async with self._core.database.read() as connection:
            found = await connection.execute(_SHOWN.order_by(User.folded))
            return [_shown(row) for row in found]

    async def get(self, name: str) -> UserShown:
        """Return a user, whatever the case of the name. Raises NotFound, IdentitiesUnavailable."""
        async with self._core.database.read() as connection:
            row = (await connection.execute(_SHOWN.where(User.folded == folded(name)))).one_or_none()
        if row is None:
            raise NotFound(f"There is no user {name!r}.")
        return _shown(row)

    async def set_role(self, name: str, role: str, *, by: str = "", spare_last_admin: bool = False) -> UserShown:
        """Give a user another role. Raises InvalidField, NotFound, IdentitiesUnavailable, and NotAllowed if asked to spare the last admin."""
        before, wanted = await self.get(name), check_role(role)
        async with self._core.database.write() as connection:
            if spare_last_admin and wanted != "admin":
                await _need_other_admin(connection, name)
            number = await number_of(connection, name)
            await connection.execute(update(User).where(User.id == number).values(role=wanted))
        self._core.changed()
        await self._core.told("role-changed", before.name, by=by, before=before.role, after=role)
        return await self.get(name)

    async def set_accounts(
        self, name: str, account: str | None, accounts: tuple[str, ...] = (), *, by: str = ""
    ) -> UserShown:
        """Say which account is a user's own (None: none), and by patterns which further ones they may use.

        Raises InvalidField, NotFound, IdentitiesUnavailable.
        """
        check_accounts(account, accounts)
        await self._change(name, account=account, accounts=accounts)
        shown = await self.get(name)
        await self._core.told("accounts-changed", shown.name, by=by, account=account or "", accounts=" ".join(accounts))
        return shown

    async def set_password(self, name: str, password: str, *, by: str = "") -> None:
        """Give a user a password, end their sessions, and forget what they had wrong. Raises InvalidField, NotFound, IdentitiesUnavailable."""
        shown = await self.get(name)
        hashed = await self._hash(password, shown.name)
        async with self._core.database.write() as connection:
            number = await number_of(connection, shown.name)
            await connection.execute(update(User).where(User.id == number).values(password_hash=hashed))
            await end_sessions(connection, number, self._core.now_ms())
            await self._core.throttle.forgive(connection, f"user:{shown.name.lower()}@")
        self._core.changed()
        await self._core.told("password-changed", shown.name, by=by)

    async def disable(self, name: str, *, by: str = "", spare_last_admin: bool = False) -> UserShown:
        """Shut a user out: their sessions end, and their keys are not valid until they are let in again. Raises as `set_role`."""
        shown = await self.get(name)
        async with self._core.database.write() as connection:
            if spare_last_admin:
                await _need_other_admin(connection, name)
            number = await number_of(connection, shown.name)
            await connection.execute(update(User).where(User.id == number).values(disabled=True))
            await end_sessions(connection, number, self._core.now_ms())
        self._core.changed()
        await self._core.told("user-disabled", shown.name, by=by)
        return await self.get(name)

    async def enable(self, name: str, *, by: str = "") -> UserShown:
        """Let a user in again that was shut out. Raises as `get`."""
        await self._change(name, disabled=False)
        shown = await self.get(name)
        await self._core.told("user-enabled", shown.name, by=by)
        return shown

    async def _hash(self, password: str, name: str) -> str:
        passwords.check(password, name, self._core.venue, "openbell")
        return await self._core.passwords.hash(password)

    async def _change(self, name: str, **values: Any) -> None:
        async with self._core.database.write() as connection:
            number = await number_of(connection, name)
            await connection.execute(update(User).where(User.id == number).values(values))
        self._core.changed()


async def add(
    connection: AsyncConnection,
    core: Core,
    name: str,
    hashed: str | None,
    role: Role,
    account: str,
    accounts: tuple[str, ...] = (),
) -> int:
    """Write a new user, whose name and accounts were checked, and return the number. Raises IntegrityError if the name is taken."""
    values = {
        "name": name,
        "folded": folded(name),
        "password_hash": hashed,
        "role": role,
        "account": account,
        "accounts": accounts,
        "disabled": False,
        "created_ms": core.now_ms(),
    }
    made = await connection.execute(insert(User).values(values).returning(User.id))
    return made.scalar_one()


async def number_of(connection: AsyncConnection, name: str) -> int:
    """Return a user's number, and let nobody else change that user until the transaction ends. Raises NotFound."""
    found = await connection.execute(select(User.id).where(User.folded == folded(name)).with_for_update())
    number = found.scalar_one_or_none()
    if number is None:
        raise NotFound(f"There is no user {name!r}.")
    return number


async def _need_other_admin(connection: AsyncConnection, name: str) -> None:
    """Raise NotAllowed if nobody else administers; until the transaction ends all who do stay as they are."""
    admins = (User.role == "admin") & User.disabled.is_(False)
    found = await connection.execute(select(User.folded).where(admins).order_by(User.id).with_for_update())
    if set(found.scalars()) == {folded(name)}:
        raise NotAllowed("This is the last administrator: make another one first.")


async def end_sessions(connection: AsyncConnection, user_id: int, now: int, but: int = 0) -> int:
    """End all sessions of a user but one, and those that wait for a second factor; return how many."""
    mine = (Session.user_id == user_id) & Session.revoked_ms.is_(None) & (Session.id != but)
    ended = await connection.execute(update(Session).where(mine).values(revoked_ms=now).returning(Session.id))
    return len(ended.all())


def numbered(name: str) -> str:
    """Return a name with five random digits behind it, so that nobody who takes it learns whether there is another user of that name."""
    return f"{name}-{10_000 + secrets.randbelow(90_000)}"


def folded(name: str) -> str:
    """Return how a name is looked for; of what can be nobody's name, nobody's.

    >>> folded("Alice"), folded("no name")
    ('alice', '')
    """
    return name.lower() if NAME.fullmatch(name) else ""


def check_name(name: str, longest: int = 32) -> None:
    """Raise InvalidField if a user cannot be called so."""
    if not NAME.fullmatch(name) or len(name) > longest:
        raise InvalidField(
            "name", f"A name has 3 to {longest} letters, digits and . _ -, and begins with a letter or digit."
        )


def check_role(role: str) -> Role:
    """Return a role. Raises InvalidField."""
    if role not in get_args(Role):
        raise InvalidField("role", f"There is no role {role!r}: it is one of {', '.join(get_args(Role))}.")
    return cast(Role, role)


def check_accounts(account: str | None, accounts: tuple[str, ...]) -> None:
    """Raise InvalidField if an account cannot be called so, or if a pattern is none."""
    if account is not None and not ACCOUNT.fullmatch(account):
        raise InvalidField("account", "An account's name has 1 to 64 letters, digits and . _ -")
    if len(accounts) > PATTERNS_MAX or not all(PATTERN.fullmatch(pattern) for pattern in accounts):
        raise InvalidField(
            "accounts", f"Write at most {PATTERNS_MAX} patterns of accounts: letters, digits, . _ - and * for any text."
        )


_SHOWN: Final = select(
    User.name,
    User.role,
    User.account,
    User.accounts,
    User.disabled,
    User.password_hash.is_not(None).label("has_password"),
    User.created_ms,
    select(SecondFactor.user_id)
    .where(SecondFactor.user_id == User.id, SecondFactor.confirmed.is_(True))
    .exists()
    .label("second_factor"),
)


def _shown(row: Any) -> UserShown:
    return UserShown(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
