"""How somebody comes in: by signing up, or by a password and then, if they have one, by a second factor.

Nobody learns from it who is known here: the answer to an unknown name, a wrong password and a user who is shut out is one, all cost the
same hash, and all count as wrong in the same way. Wrong passwords make wait by user and by address; who has logged in from an address
within a month is counted there apart, so that strangers' attempts do not keep the owner out.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Row, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity import passwords
from gateway.identity.core import NOWHERE, Core, Origin
from gateway.identity.errors import CodeRefused, InvalidField, LogInRefused
from gateway.identity.models import SecondFactor, Session, User
from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.second_factor import is_on, spend
from gateway.identity.secrets import digest
from gateway.identity.sessions import KEPT_MS, begin
from gateway.identity.throttle import Subject
from gateway.identity.users import DRAWS, SIGNED_UP, add, check_name, end_sessions, folded, numbered
from gateway.limiting.address import network_of

USER_FREE: Final = 5
ADDRESS_FREE: Final = 8
"""How many wrong attempts make nobody wait: of a user, and from an address with whatever names."""
_REFUSED: Final = "The name or the password is not right."


class LogIn(msgspec.Struct, frozen=True):
    """Who has shown the right password, as they write their name. `waiting`: the token is only for `confirm`, and no session yet."""

    token: str
    user: str
    waiting: bool = False

    def __repr__(self) -> str:
        """Leave the token out, which a log could keep."""
        return f"LogIn(user={self.user!r}, waiting={self.waiting})"


class Door:
    """Makes users of those who sign up, lets in, and changes what lets in."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._at_the_door = 0

    async def sign_up(self, name: str, password: str, origin: Origin = NOWHERE) -> LogIn:
        """Make a trader of somebody who comes by themselves, called `name` and five random digits, and begin their session.

        Both are done together, and no wrong attempts stand in the way: so whoever was made is in, and can be told the name.
        The digits are why no sign-up ever finds its name taken, so that nobody learns by it who else is here. The account is called
        as the user, behind `SIGNED_UP`. Raises InvalidField, IdentitiesUnavailable.
        """
        core = self._core
        check_name(name, longest=26)
        passwords.check(password, name, core.venue, "openbell")
        hashed = await core.passwords.hash(password)
        for _ in range(DRAWS):
            full = numbered(name)
            try:
                async with core.database.write() as connection:
                    number = await add(connection, core, full, hashed, "trader", SIGNED_UP + full)
                    token = await begin(connection, core, number, origin)
            except IntegrityError:  # the name is taken
                continue
            await core.told("signed-up", full, origin=origin)
            await core.told("logged-in", full, origin=origin, how="password")
            return LogIn(token, full)
        raise InvalidField("name", "Too many have chosen this name: take another.")

    async def log_in(self, name: str, password: str, origin: Origin = NOWHERE) -> LogIn:
        """Begin a session, or one that waits for a second factor. Raises LogInRefused, TooManyAttempts, IdentitiesUnavailable."""
        row = await self._right(name, password, origin)
        async with self._core.database.write() as connection:
            await self._still(connection, row)
            waiting = await is_on(connection, row.id)
            token = await begin(connection, self._core, row.id, origin, waiting=waiting)
        if not waiting:
            await self._core.told("logged-in", row.name, origin=origin, how="password")
        return LogIn(token, row.name, waiting)

    async def confirm(self, token: str, code: str, origin: Origin = NOWHERE) -> LogIn:
        """Begin the session that waits for a code: of the authenticator, or a recovery code.

        Raises CodeRefused, TooManyAttempts, IdentitiesUnavailable; CodeRefused, too, if the wait is over: then `log_in` again.
        """
        core = self._core
        async with core.database.read() as connection:
            row = (await connection.execute(self._waiting(token, origin))).one_or_none()
        if row is None:
            raise CodeRefused("This took too long: log in again.")
        subjects = self._subjects("code", row.folded, origin, known=row.known)
        await core.throttle.take(subjects)
        async with core.database.write() as connection:
            how = await spend(connection, core, row.id, code)
            if how is not None:
                used = await self._use_up(connection, row.session)
                fresh = await begin(connection, core, row.id, origin) if used else None
        if how is None:
            await core.told("second-factor-refused", row.name, origin=origin)
            raise CodeRefused("The code is not right, or it was used before: take the next one.")
        if fresh is None:
            raise CodeRefused("This took too long: log in again.")
        await core.throttle.give_back(subjects)
        if how == "recovery-code":
            await core.told("recovery-code-used", row.name, origin=origin)
        await core.told("logged-in", row.name, origin=origin, how=how)
        return LogIn(fresh, row.name)

    async def change_password(self, user: str, old: str, new: str, origin: Origin = NOWHERE) -> LogIn:
        """Change a user's own password, end all their sessions and begin a new one for whoever did it.

        Raises LogInRefused, InvalidField, TooManyAttempts, IdentitiesUnavailable.
        """
        passwords.check(new, user, self._core.venue, "openbell")
        row = await self._right(user, old, origin)
        hashed = await self._core.passwords.hash(new)
        async with self._core.database.write() as connection:
            await self._still(connection, row)
            await connection.execute(update(User).where(User.id == row.id).values(password_hash=hashed))
            token = await restart(connection, self._core, row.id, origin)
        self._core.changed()
        await self._core.told("password-changed", row.name, origin=origin)
        return LogIn(token, row.name)

    async def is_right(self, user: str, password: str, origin: Origin = NOWHERE) -> None:
        """Make sure that it is a user who asks for something weighty. Raises LogInRefused, TooManyAttempts, IdentitiesUnavailable."""
        await self._right(user, password, origin)

    async def _right(self, name: str, password: str, origin: Origin) -> Row[Any]:
        """Return the user whose password it is. Who comes while too many wait is turned away before anything is counted or written."""
        if self._at_the_door >= passwords.WAITING_MAX:
            raise IdentitiesUnavailable("Too many log in at once: try again in a moment.")
        self._at_the_door += 1
        try:
            return await self._looked_at(name, password, origin)
        finally:
            self._at_the_door -= 1

    async def _looked_at(self, name: str, password: str, origin: Origin) -> Row[Any]:
        """Return the user whose password it is; everything that can be seen from outside is the same for a name that is not known."""
        core, sought = self._core, folded(name)
        async with core.database.read() as connection:
            row = (await connection.execute(self._user(sought, origin))).one_or_none()
        subjects = self._subjects("user", sought, origin, known=row is not None and row.known)
        await core.throttle.take(subjects)
        kept = None if row is None else row.password_hash
        right = len(password) <= passwords.LENGTH_MAX and await core.passwords.matches(kept, password)
        if row is None or kept is None or not right or row.disabled:
            who = "" if row is None else row.name  # what is nobody's name may be a password in the wrong field
            await core.told("log-in-refused", who, origin=origin)
            raise LogInRefused(_REFUSED)
        await core.throttle.give_back(subjects)
        if core.passwords.is_outdated(kept):
            hashed = await core.passwords.hash(password)
            async with core.database.write() as connection:
                same = (User.id == row.id) & (User.password_hash == kept)
                changed = await connection.execute(
                    update(User).where(same).values(password_hash=hashed).returning(User.id)
                )
                if changed.one_or_none() is not None:
                    row = (await connection.execute(self._user(sought, origin))).one()
        return row

    async def _still(self, connection: AsyncConnection, row: Row[Any]) -> None:
        """Hold a user as they are, or refuse if the password was changed or they were shut out in between."""
        same = (User.id == row.id) & (User.password_hash == row.password_hash) & User.disabled.is_(False)
        if (await connection.execute(select(User.id).where(same).with_for_update())).one_or_none() is None:
            raise LogInRefused(_REFUSED)

    async def _use_up(self, connection: AsyncConnection, number: int) -> bool:
        """End the wait, once."""
        one = (Session.id == number) & Session.revoked_ms.is_(None)
        used = await connection.execute(
            update(Session).where(one).values(revoked_ms=self._core.now_ms()).returning(Session.id)
        )
        return used.one_or_none() is not None

    def _user(self, sought: str, origin: Origin) -> Any:
        columns = select(User.id, User.name, User.password_hash, User.disabled, self._known(origin).label("known"))
        return columns.where(User.folded == sought)

    def _waiting(self, token: str, origin: Origin) -> Any:
        columns = select(
            User.id, User.name, User.folded, Session.id.label("session"), self._known(origin).label("known")
        )
        return (
            columns.join(Session, Session.user_id == User.id)
            .join(SecondFactor, SecondFactor.user_id == User.id)
            .where(
                Session.token_hash == digest(token),
                Session.waiting.is_(True),
                Session.revoked_ms.is_(None),
                Session.expires_ms > self._core.now_ms(),
                User.disabled.is_(False),
            )
        )

    def _known(self, origin: Origin) -> Any:
        """Whether the user has had a session from this address of late."""
        earlier = Session.__table__.alias("earlier")
        return (
            select(earlier.c.id)
            .where(
                earlier.c.user_id == User.id,
                earlier.c.address == origin.address,
                earlier.c.waiting.is_(False),
                earlier.c.created_ms > self._core.now_ms() - KEPT_MS,
            )
            .exists()
        )

    def _subjects(self, what: str, who: str, origin: Origin, *, known: bool) -> list[Subject]:
        network = network_of(origin.address)
        mine = Subject(f"{what}:{who}@{network if known else ''}", USER_FREE)
        return [mine, Subject(f"address:{network}", ADDRESS_FREE)] if network else [mine]


async def restart(connection: AsyncConnection, core: Core, user_id: int, origin: Origin) -> str:
    """End all sessions of a user, and begin a new one."""
    await end_sessions(connection, user_id, core.now_ms())
    return await begin(connection, core, user_id, origin)
