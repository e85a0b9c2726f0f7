"""Hears of changes once, and passes the word on to all who wait for it in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from gateway.ports import Changed, Changes, GatewayError

RETRY_S: Final = 0.5
_LOG = logging.getLogger(__name__)


async def listen(changes: Changes, hearers: Iterable[Callable[[Changed], None]]) -> None:
    """Pass all word of changes on, for ever; what may have been missed while nothing could be heard comes as `everything`."""
    hearers = tuple(hearers)
    while True:
        try:
            async for changed in changes.listen():
                for hear in hearers:
                    hear(changed)
        except (GatewayError, OSError) as error:
            _LOG.warning("changes cannot be heard now: %s", error)
        await asyncio.sleep(RETRY_S)
