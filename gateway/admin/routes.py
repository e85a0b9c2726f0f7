"""All routes of these pages."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get

from gateway.admin import audit_page, keys_page, market_page, users_page
from gateway.admin.frame import ADMIN, SECTIONS, sent_on
from gateway.identity.principal import Principal
from gateway.identity.roles import may


@get(ADMIN, opt={"needs": "operate"})
async def admin(principal: Principal) -> Response[Any]:
    """Send whoever runs the venue to the first page that is theirs."""
    return sent_on(next(f"{ADMIN}/{path}" for path, _, needs in SECTIONS if may(principal, needs)))


HANDLERS: Final = [
    admin,
    *market_page.HANDLERS,
    *users_page.HANDLERS,
    *keys_page.HANDLERS,
    *audit_page.HANDLERS,
]
