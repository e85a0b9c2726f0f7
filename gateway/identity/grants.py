"""Which sessions and keys are valid now, and who has them: the one place that says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.models import ApiKey, Session, User
from gateway.identity.ports import Key
from gateway.identity.principal import ALL_SCOPES, Principal, Role, Scope
from gateway.identity.secrets import SecretKey, digest


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A session or key as the database has it: whose, until when if nothing else ends it, when last seen (a session), and the key."""

    principal: Principal
    until_ms: int | None
    seen_ms: int = 0
    key: Key | None = None


async def session_of(connection: AsyncConnection, token: str, now: int, idle_ms: int) -> Granted | None:
    """Return the valid session of a token."""
    found = await connection.execute(_sessions(now, idle_ms).where(Session.token_hash == digest(token)))
    row = found.one_or_none()
    return None if row is None else _session(row, idle_ms)


async def key_of(connection: AsyncConnection, key_id: str, now: int, secret: SecretKey) -> Granted | None:
    """Return the valid key of an id. Raises BadSecretKey."""
    found = await connection.execute(_keys(now).where(ApiKey.key_id == key_id))
    row = found.one_or_none()
    principal = None if row is None else _key_principal(row)
    if row is None or principal is None:
        return None
    opened = secret.open(row.secret, f"key:{row.key_id}")
    key = Key(principal=principal, secret=opened, networks=row.networks)
    return Granted(principal=principal, until_ms=row.expires_ms, key=key)


async def sessions_by_number(
    connection: AsyncConnection, numbers: Sequence[int], now: int, idle_ms: int
) -> dict[int, Principal]:
    """Return who has which of these sessions; of those that have ended nothing."""
    found = await connection.execute(_sessions(now, idle_ms).where(Session.id.in_(numbers)))
    return {row.id: _session(row, idle_ms).principal for row in found}


async def keys_by_number(connection: AsyncConnection, numbers: Sequence[int], now: int) -> dict[int, Principal]:
    """Return who has which of these keys; of those that have ended nothing."""
    found = await connection.execute(_keys(now).where(ApiKey.id.in_(numbers)))
    return {row.id: principal for row in found if (principal := _key_principal(row)) is not None}


def session_holds(now: int, idle_ms: int) -> ColumnElement[bool]:
    """The condition under which a session's row is valid, apart from its user."""
    return (
        Session.revoked_ms.is_(None)
        & Session.waiting.is_(False)
        & (Session.expires_ms > now)
        & (Session.seen_ms > now - idle_ms)
    )


def key_holds(now: int) -> ColumnElement[bool]:
    """The condition under which a key's row is valid, apart from its user."""
    return ApiKey.revoked_ms.is_(None) & (ApiKey.expires_ms.is_(None) | (ApiKey.expires_ms > now))


def _sessions(now: int, idle_ms: int) -> Any:
    columns = select(Session.id, Session.seen_ms, Session.expires_ms, User.name, User.role, User.account, User.accounts)
    return columns.join(User, User.id == Session.user_id).where(session_holds(now, idle_ms), User.disabled.is_(False))


def _keys(now: int) -> Any:
    key = (ApiKey.id, ApiKey.key_id, ApiKey.secret, ApiKey.scopes, ApiKey.networks, ApiKey.expires_ms)
    columns = select(*key, ApiKey.account.label("only"), User.name, User.role, User.account, User.accounts)
    return columns.join(User, User.id == ApiKey.user_id).where(key_holds(now), User.disabled.is_(False))


def _session(row: Row[Any], idle_ms: int) -> Granted:
    principal = Principal(
        user=row.name,
        role=cast(Role, row.role),
        account=row.account,
        accounts=row.accounts,
        scopes=ALL_SCOPES,
        grant="session",
        grant_id=row.id,
    )
    return Granted(principal=principal, until_ms=min(row.expires_ms, row.seen_ms + idle_ms), seen_ms=row.seen_ms)


def _key_principal(row: Row[Any]) -> Principal | None:
    """A key for one account is for no other, and is not valid while its user may not use that account."""
    principal = Principal(
        user=row.name,
        role=cast(Role, row.role),
        account=row.account,
        accounts=row.accounts,
        scopes=frozenset(cast(tuple[Scope, ...], row.scopes)),
        grant="key",
        grant_id=row.id,
    )
    if row.only is None:
        return principal
    if not principal.may_use(row.only):
        return None
    return msgspec.structs.replace(principal, account=row.only, accounts=())
