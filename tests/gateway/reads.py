"""Asks the views of a projected venue something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.views import RedisViews
from tests.gateway.projected import NOW_MS, Projected


def read(projected: Projected, ask: Callable[[RedisViews], Awaitable[Any]]) -> Any:
    """Return what the views answer."""

    async def asked() -> Any:
        views = RedisViews(projected.url, projected.name, lambda: NOW_MS)
        try:
            return await ask(views)
        finally:
            await views.close()

    return asyncio.run(asked())
