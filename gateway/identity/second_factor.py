"""The second factor: six digits of an authenticator (TOTP, RFC 6238: 30 s, SHA-1), each good once, and recovery codes in its place."""

from __future__ import annotations

import hmac
import io
import re
import secrets
from typing import Final, Literal, TypeAlias

import msgspec
import pyotp
import segno
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.core import NOWHERE, Core, Origin
from gateway.identity.errors import CodeRefused
from gateway.identity.models import RecoveryCode, SecondFactor, User
from gateway.identity.secrets import digest
from gateway.identity.sessions import begin
from gateway.identity.throttle import Subject
from gateway.identity.users import end_sessions, folded, number_of

How: TypeAlias = Literal["authenticator", "recovery-code"]
STEP_MS: Final = 30_000
DRIFT: Final = 1
"""How many steps an authenticator's clock may be off, either way."""
_FREE: Final = 5
CODES: Final = 10
"""How many recovery codes there are, of 16 letters and digits each: 78 bits."""
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_WRONG: Final = "The code is not right, or it was used before: take the next one."


class Setup(msgspec.Struct, frozen=True):
    """What an authenticator is given, once: the secret as text, the same as an otpauth:// address, and that as a QR code (SVG)."""

    secret: str
    uri: str
    qr_svg: str

    def __repr__(self) -> str:
        """Leave the secret out, which a log could keep."""
        return "Setup(...)"


class Confirmed(msgspec.Struct, frozen=True):
    """The second factor is on: recovery codes to show once, and the token of the session that goes on."""

    recovery_codes: tuple[str, ...]
    token: str

    def __repr__(self) -> str:
        """Leave all of it out, which a log could keep."""
        return "Confirmed(...)"


class SecondFactors:
    """Turns the second factor on and off."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def is_on(self, user: str) -> bool:
        """Say whether a user has a second factor. Raises NotFound, IdentitiesUnavailable."""
        async with self._core.database.read() as connection:
            return await is_on(connection, await number_of(connection, user))

    async def codes_left(self, user: str) -> int:
        """Return how many recovery codes a user has not used. Raises IdentitiesUnavailable."""
        left = select(func.count()).select_from(RecoveryCode).join(User, User.id == RecoveryCode.user_id)
        async with self._core.database.read() as connection:
            found = await connection.execute(left.where(User.folded == folded(user), RecoveryCode.used_ms.is_(None)))
            return found.scalar_one()

    async def begin(self, user: str) -> Setup:
        """Make a secret, which counts only once `confirm` has seen a code of it; one that was made before and not confirmed is forgotten.

        Raises CodeRefused if a second factor is on, NotFound, IdentitiesUnavailable.
        """
        core, secret = self._core, pyotp.random_base32()
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            if await is_on(connection, number):
                raise CodeRefused("You have a second factor: turn it off before you set up another.")
            await connection.execute(delete(SecondFactor).where(SecondFactor.user_id == number))
            sealed = core.secret.seal(secret.encode(), _about(number))
            row = {"user_id": number, "secret": sealed, "confirmed": False, "last_step": 0}
            await connection.execute(insert(SecondFactor).values(row))
        uri = pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=core.venue)
        drawn = io.BytesIO()
        segno.make(uri, error="m").save(drawn, kind="svg", scale=4, border=4, xmldecl=False, light="#fff")
        return Setup(secret, uri, drawn.getvalue().decode())

    async def confirm(self, user: str, code: str, origin: Origin = NOWHERE) -> Confirmed:
        """Turn it on by the first code; ends all sessions of the user and begins a new one. Raises CodeRefused, TooManyAttempts, NotFound,
        IdentitiesUnavailable.
        """
        core = self._core
        subjects = await self._attempt(user)
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            if await is_on(connection, number) or not await _spend_step(
                connection, core, number, code, confirmed=False
            ):
                raise CodeRefused(_WRONG)
            await connection.execute(update(SecondFactor).where(SecondFactor.user_id == number).values(confirmed=True))
            codes = await _new_codes(connection, number)
            await end_sessions(connection, number, core.now_ms())
            token = await begin(connection, core, number, origin)
        core.changed()
        await core.throttle.give_back(subjects)
        await core.told("second-factor-on", user, origin=origin)
        return Confirmed(codes, token)

    async def show(self, user: str, code: str, origin: Origin = NOWHERE) -> None:
        """Make sure that it is a user who asks for something weighty; the code is used up. Raises as `new_codes`."""
        subjects = await self._attempt(user)
        async with self._core.database.write() as connection:
            how = await spend(connection, self._core, await number_of(connection, user), code)
        await self._judge(user, how, subjects, origin)

    async def new_codes(self, user: str, code: str, origin: Origin = NOWHERE) -> tuple[str, ...]:
        """Make recovery codes in place of all old ones, for whoever shows a code. Raises CodeRefused, TooManyAttempts, NotFound,
        IdentitiesUnavailable.
        """
        subjects = await self._attempt(user)
        async with self._core.database.write() as connection:
            number = await number_of(connection, user)
            how = await spend(connection, self._core, number, code)
            codes = await _new_codes(connection, number) if how is not None else ()
        await self._judge(user, how, subjects, origin)
        await self._core.told("recovery-codes-made", user, origin=origin)
        return codes

    async def end(self, user: str, code: str, origin: Origin = NOWHERE) -> str:
        """Turn it off, for whoever shows a code; ends all sessions of the user, begins a new one and returns its token. Raises as `new_codes`."""
        core = self._core
        subjects = await self._attempt(user)
        token = ""
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            how = await spend(connection, core, number, code)
            if how is not None:
                await _forget(connection, number)
                await end_sessions(connection, number, core.now_ms())
                token = await begin(connection, core, number, origin)
        core.changed()
        await self._judge(user, how, subjects, origin)
        await core.told("second-factor-off", user, origin=origin)
        return token

    async def reset(self, user: str, *, by: str = "") -> None:
        """Turn it off for a user who has lost it, and end their sessions. Raises NotFound, IdentitiesUnavailable."""
        core = self._core
        async with core.database.write() as connection:
            number = await number_of(connection, user)
            await _forget(connection, number)
            await end_sessions(connection, number, core.now_ms())
            await core.throttle.forgive(connection, f"code:{user.lower()}@")
        core.changed()
        await core.told("second-factor-off", user, by=by)

    async def _attempt(self, user: str) -> list[Subject]:
        subjects = [Subject(f"code:{user.lower()}@", _FREE)]
        await self._core.throttle.take(subjects)
        return subjects

    async def _judge(self, user: str, how: How | None, subjects: list[Subject], origin: Origin) -> None:
        """Tell how a code was right, or that it was not. Raises CodeRefused."""
        if how is None:
            await self._core.told("second-factor-refused", user, origin=origin)
            raise CodeRefused(_WRONG)
        await self._core.throttle.give_back(subjects)
        if how == "recovery-code":
            await self._core.told("recovery-code-used", user, origin=origin)


async def is_on(connection: AsyncConnection, user_id: int) -> bool:
    """Say whether a user has a second factor."""
    mine = select(SecondFactor.confirmed).where(SecondFactor.user_id == user_id)
    return bool((await connection.execute(mine)).scalar_one_or_none())


async def spend(connection: AsyncConnection, core: Core, user_id: int, code: str) -> How | None:
    """Use up a code of a user; return which it was, None if it is none. Of two who show the same code at once, one has it."""
    plain = re.sub(r"[\s-]", "", code).lower()
    if re.fullmatch("[0-9]{6}", plain):
        return "authenticator" if await _spend_step(connection, core, user_id, plain, confirmed=True) else None
    mine = (RecoveryCode.user_id == user_id) & (RecoveryCode.code_hash == digest(plain))
    used = await connection.execute(
        update(RecoveryCode)
        .where(mine, RecoveryCode.used_ms.is_(None))
        .values(used_ms=core.now_ms())
        .returning(RecoveryCode.user_id)
    )
    return None if used.one_or_none() is None else "recovery-code"


async def _spend_step(connection: AsyncConnection, core: Core, user_id: int, code: str, *, confirmed: bool) -> bool:
    mine = (SecondFactor.user_id == user_id) & SecondFactor.confirmed.is_(confirmed)
    sealed = (await connection.execute(select(SecondFactor.secret).where(mine))).scalar_one_or_none()
    if sealed is None:
        return False
    totp = pyotp.TOTP(core.secret.open(sealed, _about(user_id)).decode())
    now = core.now_ms() // STEP_MS
    plain = re.sub(r"\s", "", code)
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), plain.encode()):
            newer = update(SecondFactor).where(mine, SecondFactor.last_step < step).values(last_step=step)
            used = await connection.execute(newer.returning(SecondFactor.user_id))
            return used.one_or_none() is not None
    return False


async def _new_codes(connection: AsyncConnection, user_id: int) -> tuple[str, ...]:
    await connection.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    plain = ["".join(secrets.choice(_LETTERS) for _ in range(16)) for _ in range(CODES)]
    rows = [{"user_id": user_id, "code_hash": digest(code)} for code in plain]
    await connection.execute(insert(RecoveryCode), rows)
    return tuple("-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in plain)


async def _forget(connection: AsyncConnection, user_id: int) -> None:
    await connection.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    await connection.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _about(user_id: int) -> str:
    """What the secret is sealed as: that of this user, and of no other."""
    return f"second-factor:{user_id}"
