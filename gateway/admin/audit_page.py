"""The page of the audit log: its newest entries, and the command that has all."""

from __future__ import annotations

from typing import Final

from litestar import Response, get

from exchange.audit_log import AuditEntry
from gateway.admin.frame import ADMIN, AdminRequest, page
from gateway.identity.principal import Principal
from gateway.ports import ViewsUnavailable
from gateway.services import Services

SHOWN_MAX: Final = 200


@get(f"{ADMIN}/audit", opt={"needs": "administer"})
async def audit(request: AdminRequest, services: Services, principal: Principal) -> Response[str]:
    """Show the newest entries, of one user where that is asked for."""
    user = request.query_params.get("user", "").strip()[:64]
    entries: list[AuditEntry] | None = None
    if services.newest_audit is not None:
        try:
            entries = await services.newest_audit.newest()
        except ViewsUnavailable:
            entries = None
    found = [entry for entry in entries or [] if not user or user in (entry.actor, entry.subject)]
    return await page(
        request,
        services,
        principal,
        "admin_audit",
        "audit",
        entries=found[:SHOWN_MAX],
        readable=entries is not None,
        sought=user,
    )


HANDLERS: Final = [audit]
