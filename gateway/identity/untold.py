"""Security events of whoever has no audit log, such as the command line: kept in the database until a gateway tells of them."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

import msgspec
from sqlalchemy import delete, insert, select

from gateway.identity.database import Database
from gateway.identity.events import SecurityEvent, Tell
from gateway.identity.models import Untold
from gateway.ports import GatewayError

_AT_ONCE: Final = 100


@runtime_checkable
class Keeper(Protocol):
    """A `Tell` for a log that does not always take events. As such it must not raise, and an event is lost; `keep` raises."""

    async def keep(self, event: SecurityEvent) -> None:
        """Tell of an event. Raises GatewayError if the log does not take it now."""


def keeping(database: Database) -> Tell:
    """Return what keeps events to be told by others."""

    async def keep(event: SecurityEvent) -> None:
        async with database.write() as connection:
            await connection.execute(insert(Untold).values(event=msgspec.json.encode(event).decode()))

    return keep


async def tell_all(database: Database, tell: Tell) -> None:
    """Tell of what was kept, in its order. Each event is told once, but for one that was being told when the process was killed.

    What a `Keeper` does not take, and all behind it, stays kept. Raises IdentitiesUnavailable.
    """
    told = tell.keep if isinstance(tell, Keeper) else tell
    oldest = select(Untold.id, Untold.event).order_by(Untold.id).limit(_AT_ONCE)
    async with database.read() as connection:
        if (await connection.execute(oldest.limit(1))).one_or_none() is None:
            return
    async with database.write() as connection:
        for row in (await connection.execute(oldest.with_for_update(skip_locked=True))).all():
            try:
                await told(msgspec.json.decode(row.event, type=SecurityEvent))
            except GatewayError:
                return
            await connection.execute(delete(Untold).where(Untold.id == row.id))
