"""The page of all API keys, without anything secret of them."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post

from gateway.admin.frame import ADMIN, AdminRequest, page, sent_on
from gateway.identity.principal import Principal
from gateway.services import Services
from gateway.sign_in.forms import Form, directory_of, origin_of

KEYS: Final = f"{ADMIN}/keys"
SHOWN_MAX: Final = 200


@get(KEYS, opt={"needs": "administer"})
async def keys(request: AdminRequest, services: Services, principal: Principal) -> Response[str]:
    """List the keys, the newest first, or those in whose user, label or id a text is."""
    query, now_ms = request.query_params, services.exchange.now_ms()
    sought = query.get("q", "").strip()[:64]
    found = [
        (user, key)
        for user, key in await directory_of(services).keys.all()
        if any(sought.lower() in text.lower() for text in (user, key.label, key.key_id, key.account or ""))
    ]
    shown = Form(notice="That key can no longer be used.", tone="good") if query.get("done") == "key" else Form()
    return await page(
        request,
        services,
        principal,
        "admin_keys",
        "keys",
        shown,
        keys=found[:SHOWN_MAX],
        count=len(found),
        sought=sought,
        now_ms=now_ms,
    )


@post(f"{KEYS}/{{key_id:str}}/revoke", opt={"needs": "administer"})
async def revoke(request: AdminRequest, services: Services, principal: Principal, key_id: str) -> Response[Any]:
    """End a key, whoever's it is."""
    await directory_of(services).keys.revoke(key_id, by=principal.user, origin=origin_of(request))
    return sent_on(f"{KEYS}?{urlencode({'done': 'key', 'q': request.query_params.get('q', '')[:64]})}")


HANDLERS: Final = [keys, revoke]
