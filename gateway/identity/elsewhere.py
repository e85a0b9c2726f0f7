"""Lets in who is known to an OpenID Connect provider.

A user is linked to an issuer and its name for them (the subject), and to nothing else: not by a name or an address of mail, which a
provider may let anybody choose. So nobody takes a user over who is here already: they link themselves, signed in. Who comes for the first time
gets a user of their own, whose name has random digits as at sign-up. A second factor of ours is not asked for: that is the provider's business.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity import oidc_flow
from gateway.identity.core import NOWHERE, Core, Origin
from gateway.identity.errors import LogInRefused, NotAllowed
from gateway.identity.log_in import LogIn
from gateway.identity.models import OidcIdentity, User
from gateway.identity.oidc_flow import Flow
from gateway.identity.oidc_provider import Known, ProviderRefused
from gateway.identity.principal import Role
from gateway.identity.secrets import digest
from gateway.identity.sessions import begin
from gateway.identity.users import DRAWS, NAME, SIGNED_UP, add, folded, number_of, numbered

_HOW: Final = "openid-connect"


class Elsewhere:
    """Users as providers know them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def begun(self, issuer: str, way: str, link: str = "") -> tuple[Flow, str]:
        """Return a new visit to a provider, and the cookie by which a browser comes back from it; see `oidc_flow.Flow`."""
        flow = oidc_flow.begun(issuer, way, link, self._core.now_ms())
        return flow, oidc_flow.sealed(flow, self._core.secret)

    def returned(self, cookie: str, state: str, issuer: str) -> Flow | None:
        """Return the visit that a browser comes back from, None if that cannot be."""
        return oidc_flow.returned(cookie, state, issuer, self._core.secret, self._core.now_ms())

    async def use_up(self, flow: Flow) -> None:
        """Have a visit count once, at all gateways together. Raises ProviderRefused if it was used before, IdentitiesUnavailable."""
        if not await self._core.throttle.once(f"visit:{digest(flow.state)}"):
            raise ProviderRefused("this browser has come back from that visit before")

    async def log_in(self, known: Known, create: Role | None, origin: Origin = NOWHERE) -> tuple[LogIn, bool]:
        """Begin a session of the user who is linked, or of a new one with the role `create`; say whether they are new.

        Raises LogInRefused if that user is shut out, or there is none and none is made; IdentitiesUnavailable.
        """
        core, new = self._core, False
        for _ in range(DRAWS):
            try:
                async with core.database.write() as connection:
                    row = (await connection.execute(_linked(known).with_for_update())).one_or_none()
                    if row is None and create is not None:
                        await self._make(connection, known, create)
                        row, new = (await connection.execute(_linked(known))).one(), True
                    token = "" if row is None or row.disabled else await begin(connection, core, row.id, origin)
                break
            except IntegrityError:  # the name is taken, or the same person came twice at once
                new = False
        else:
            raise LogInRefused("No name could be found for a new user: try again.")
        if row is None or not token:
            await core.told("log-in-refused", "" if row is None else row.name, origin=origin, how=_HOW)
            raise LogInRefused("Nobody here is linked to this log-in.")
        if new:
            await core.told("signed-up", row.name, origin=origin, how=_HOW, issuer=known.issuer)
        await core.told("logged-in", row.name, origin=origin, how=_HOW, issuer=known.issuer)
        return LogIn(token, row.name), new

    async def link(self, user: str, known: Known, origin: Origin = NOWHERE) -> None:
        """Link somebody to a user, who is signed in. Raises NotAllowed if they are linked to another one, NotFound, IdentitiesUnavailable."""
        core = self._core
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            row = (await connection.execute(_linked(known))).one_or_none()
            if row is not None and row.id != number:
                raise NotAllowed("This log-in is linked to another user here.")
            if row is None:
                values = {"issuer": known.issuer, "subject": known.subject, "user_id": number}
                await connection.execute(insert(OidcIdentity).values(values))
        if row is None:
            await core.told("log-in-linked", user, origin=origin, issuer=known.issuer)

    async def unlink(self, user: str, issuer: str, origin: Origin = NOWHERE) -> None:
        """End all links of a user to a provider. Raises NotAllowed if nothing else lets them in; NotFound, IdentitiesUnavailable."""
        core = self._core
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            password = select(User.password_hash).where(User.id == number)
            if (await connection.execute(password)).scalar_one() is None:
                raise NotAllowed("Without it nothing lets you in: you have no password here.")
            mine = (OidcIdentity.user_id == number) & (OidcIdentity.issuer == issuer)
            ended = await connection.execute(delete(OidcIdentity).where(mine).returning(OidcIdentity.subject))
            count = len(ended.all())
        if count:
            await core.told("log-in-unlinked", user, origin=origin, issuer=issuer)

    async def is_linked(self, user: str, issuer: str) -> bool:
        """Say whether a provider lets a user in. Raises IdentitiesUnavailable."""
        async with self._core.database.read() as connection:
            found = await connection.execute(
                select(func.count())
                .select_from(OidcIdentity)
                .join(User, User.id == OidcIdentity.user_id)
                .where(User.folded == folded(user), OidcIdentity.issuer == issuer)
            )
            return bool(found.scalar_one())

    async def refused(self, why: str, origin: Origin = NOWHERE) -> None:
        """Have it written down that somebody came back from a provider with nothing that counts."""
        await self._core.told("log-in-refused", "", origin=origin, how=_HOW, why=why[:200])

    async def _make(self, connection: AsyncConnection, known: Known, role: Role) -> None:
        name = free_name(known.name)
        number = await add(connection, self._core, name, None, role, SIGNED_UP + name)
        link = {"issuer": known.issuer, "subject": known.subject, "user_id": number}
        await connection.execute(insert(OidcIdentity).values(link))


def free_name(wanted: str) -> str:
    """Return a name with five random digits, after the one that somebody has elsewhere."""
    kept = re.sub(r"[^A-Za-z0-9_.-]", "", wanted.partition("@")[0]).lstrip("_.-")[:26]
    name = numbered(kept if len(kept) >= 3 else "user")
    assert NAME.fullmatch(name), "a name that was made is one"
    return name


def _linked(known: Known) -> Any:
    return (
        select(User.id, User.name, User.disabled)
        .join(OidcIdentity, OidcIdentity.user_id == User.id)
        .where(OidcIdentity.issuer == known.issuer, OidcIdentity.subject == known.subject)
    )
