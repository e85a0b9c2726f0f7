"""Security events of whoever has no audit log, such as the command line: kept in the database until a gateway tells of them."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import delete, insert, select

from gateway.identity.database import Database
from gateway.identity.events import SecurityEvent, Tell
from gateway.identity.models import Untold

_AT_ONCE: Final = 100


def keeping(database: Database) -> Tell:
    """Return what keeps events to be told by others."""

    async def keep(event: SecurityEvent) -> None:
        async with database.write() as connection:
            await connection.execute(insert(Untold).values(event=msgspec.json.encode(event).decode()))

    return keep


async def tell_all(database: Database, tell: Tell) -> None:
    """Tell of what was kept, in its order. Each event is told once, but for one that was being told when the process was killed.

    Raises IdentitiesUnavailable.
    """
    oldest = select(Untold.id, Untold.event).order_by(Untold.id).limit(_AT_ONCE)
    async with database.read() as connection:
        if (await connection.execute(oldest.limit(1))).one_or_none() is None:
            return
    async with database.write() as connection:
        for row in (await connection.execute(oldest.with_for_update(skip_locked=True))).all():
            await tell(msgspec.json.decode(row.event, type=SecurityEvent))
            await connection.execute(delete(Untold).where(Untold.id == row.id))
