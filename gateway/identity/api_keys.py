"""API keys: made once shown, listed without their secrets, revoked."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final, cast, get_args

import msgspec
from sqlalchemy import func, insert, select, update

from gateway.identity.core import NOWHERE, Core, Origin
from gateway.identity.errors import InvalidField, NotAllowed, NotFound
from gateway.identity.grants import key_holds
from gateway.identity.models import ApiKey, User
from gateway.identity.principal import Principal, Role, Scope
from gateway.identity.secrets import new_letters
from gateway.identity.users import check_accounts, folded, number_of

KEYS_MAX: Final = 50
"""How many valid keys a user may have."""
ALL_MAX: Final = 10_000
LETTERS: Final = 64
"""Of a key's id and of its secret, each: as trading clients expect them."""


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret. Times are milliseconds since the epoch; no account: all that its user may use."""

    key_id: str
    label: str
    scopes: tuple[Scope, ...]
    networks: tuple[str, ...]
    account: str | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None


class Keys:
    """The keys of each user."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self,
        user: str,
        scopes: Iterable[str] = ("read",),
        networks: Iterable[str] = (),
        expires_ms: int | None = None,
        label: str = "",
        *,
        account: str | None = None,
        by: str = "",
        origin: Origin = NOWHERE,
    ) -> tuple[str, str]:
        """Make a key and return its id and its secret, which nobody can be shown again.

        `networks` are where it may be used from (CIDR; none: anywhere), `expires_ms` until when (None: until it is revoked), `account` the only
        one that it is for (None: all that its user may use). Raises InvalidField, NotAllowed, NotFound, IdentitiesUnavailable.
        """
        core, now = self._core, self._core.now_ms()
        wanted = self.checked(scopes, networks, expires_ms, label, account=account)
        key_id, secret = new_letters(LETTERS), new_letters(LETTERS)
        sealed = core.secret.seal(secret.encode(), f"key:{key_id}")
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            owner = (await connection.execute(_OWNER.where(User.id == number))).one()
            if account is not None and not _principal(owner).may_use(account):
                raise NotAllowed(f"{owner.name} may not use the account {account!r}.")
            mine = select(func.count()).where(ApiKey.user_id == number, key_holds(now))
            if (await connection.execute(mine)).scalar_one() >= KEYS_MAX:
                raise NotAllowed(f"A user has at most {KEYS_MAX} keys: revoke one that is not used.")
            values = {**wanted, "user_id": number, "key_id": key_id, "secret": sealed, "created_ms": now}
            await connection.execute(insert(ApiKey).values(values))
        facts = {"key": key_id, "scopes": " ".join(wanted["scopes"]), "label": label}
        await core.told("key-made", owner.name, by=by, origin=origin, **facts)
        return key_id, secret

    def checked(
        self,
        scopes: Iterable[str],
        networks: Iterable[str] = (),
        expires_ms: int | None = None,
        label: str = "",
        *,
        account: str | None = None,
    ) -> dict[str, Any]:
        """Return what a key is to be, as `create` takes it, in the form that it is kept in. Raises InvalidField."""
        label, named, bound = _label(label), _scopes(scopes), _networks(networks)
        if expires_ms is not None and expires_ms <= self._core.now_ms():
            raise InvalidField("expires", "A key must expire in the future.")
        check_accounts(account, ())
        return {"label": label, "scopes": named, "networks": bound, "account": account, "expires_ms": expires_ms}

    async def of(self, user: str) -> list[KeyShown]:
        """Return a user's keys, the newest first, and those that are no longer valid among them. Raises IdentitiesUnavailable."""
        async with self._core.database.read() as connection:
            found = await connection.execute(
                _SHOWN.where(User.folded == folded(user)).order_by(ApiKey.id.desc()).limit(500)
            )
            return [KeyShown(**row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's public name for it

    async def all(self) -> list[tuple[str, KeyShown]]:
        """Return the newest keys of all users, each with its user's name; at most `ALL_MAX`. Raises IdentitiesUnavailable."""
        async with self._core.database.read() as connection:
            found = await connection.execute(
                _SHOWN.add_columns(User.name.label("user")).order_by(ApiKey.id.desc()).limit(ALL_MAX)
            )
            rows = [dict(row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's public name for it
        return [(row.pop("user"), KeyShown(**row)) for row in rows]

    async def revoke(self, key_id: str, *, user: str | None = None, by: str = "", origin: Origin = NOWHERE) -> None:
        """End a key, within a second everywhere; with `user` only if it is theirs. It may have ended. Raises NotFound, IdentitiesUnavailable."""
        core = self._core
        async with core.database.write() as connection:
            found = await connection.execute(
                select(ApiKey.id, ApiKey.revoked_ms, User.name, User.folded)
                .join(User, User.id == ApiKey.user_id)
                .where(ApiKey.key_id == (key_id if key_id.isascii() and key_id.isalnum() else ""))
            )
            row = found.one_or_none()
            if row is None or (user is not None and row.folded != folded(user)):
                raise NotFound("There is no such key.")
            ended = (ApiKey.id == row.id) & ApiKey.revoked_ms.is_(None)
            await connection.execute(update(ApiKey).where(ended).values(revoked_ms=core.now_ms()))
        core.changed()
        if row.revoked_ms is None:
            await core.told("key-revoked", row.name, by=by, origin=origin, key=key_id)


def _scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    wanted = set(scopes)
    if not wanted or not wanted <= set(get_args(Scope)):
        raise InvalidField("scopes", f"Name at least one scope of {', '.join(get_args(Scope))}.")
    return tuple(scope for scope in get_args(Scope) if scope in wanted)


def _networks(networks: Iterable[str]) -> tuple[str, ...]:
    wanted = [text.strip() for text in networks]
    try:
        parsed = tuple(dict.fromkeys(str(ipaddress.ip_network(text, strict=False)) for text in wanted))
    except ValueError:
        raise InvalidField("networks", "Write addresses or networks, such as 192.0.2.7 or 192.0.2.0/24.") from None
    if len(parsed) > 100:
        raise InvalidField("networks", "Write at most 100 networks.")
    return parsed


def _label(label: str) -> str:
    if len(label) > 64 or not (label.isprintable() or not label):
        raise InvalidField("label", "A label has at most 64 characters, without line breaks.")
    return label


def _principal(owner: Any) -> Principal:
    return Principal(user=owner.name, role=cast(Role, owner.role), account=owner.account, accounts=owner.accounts)


_OWNER: Final = select(User.name, User.role, User.account, User.accounts)
_SHOWN: Final = select(
    ApiKey.key_id,
    ApiKey.label,
    ApiKey.scopes,
    ApiKey.networks,
    ApiKey.account,
    ApiKey.created_ms,
    ApiKey.expires_ms,
    ApiKey.revoked_ms,
).join(User, User.id == ApiKey.user_id)
