"""Makes sure once more that whoever has a session is its user, before something is made that outlasts the session.

Without it, whoever finds a browser unlocked, or gets hold of a cookie, could make a key or link a log-in of their own, and stay.
"""

from __future__ import annotations

from sqlalchemy import select

from gateway.identity.core import NOWHERE, Core, Origin
from gateway.identity.errors import SignInAgain
from gateway.identity.log_in import Door
from gateway.identity.models import Session, User
from gateway.identity.principal import Principal
from gateway.identity.second_factor import SecondFactors
from gateway.identity.users import Users, folded


class Reauthentication:
    """Asks for what signing in takes. Who has no password here, for another provider lets them in, must have signed in of late."""

    def __init__(self, core: Core, users: Users, door: Door, second_factors: SecondFactors) -> None:
        self._core = core
        self._users = users
        self._door = door
        self._second_factors = second_factors

    @property
    def fresh_ms(self) -> int:
        """For how long somebody counts as having signed in of late."""
        return self._core.lifetimes.fresh_ms

    async def first_factor(self, principal: Principal, password: str, origin: Origin = NOWHERE) -> None:
        """Look at the password; wrong ones make wait as those at log-in do.

        Raises LogInRefused, SignInAgain, TooManyAttempts, NotFound, IdentitiesUnavailable.
        """
        user = await self._users.get(principal.user)
        if user.has_password:
            await self._door.is_right(user.name, password, origin)
        elif not await self.is_fresh(principal):
            raise SignInAgain("You signed in too long ago for this: sign in again first.")

    async def all_factors(self, principal: Principal, password: str, code: str, origin: Origin = NOWHERE) -> None:
        """Look at the password and then, of who has a second factor, at a code of it, which is used up. Raises CodeRefused, and as `first_factor`."""
        await self.first_factor(principal, password, origin)
        if await self._second_factors.is_on(principal.user):
            await self._second_factors.show(principal.user, code, origin)

    async def is_fresh(self, principal: Principal) -> bool:
        """Say whether the session that somebody was let in by began of late. Raises IdentitiesUnavailable."""
        if principal.grant != "session":
            return False
        began = (
            select(Session.created_ms)
            .join(User, User.id == Session.user_id)
            .where(Session.id == principal.grant_id, User.folded == folded(principal.user))
        )
        async with self._core.database.read() as connection:
            created_ms = (await connection.execute(began)).scalar_one_or_none()
        return created_ms is not None and self._core.now_ms() - created_ms <= self.fresh_ms
