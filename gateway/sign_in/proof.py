"""Asks in a form once more who it is, before something is done that outlasts the session: a key, another way to sign in, another's role.

A page has several such forms, so each has fields of its own for it: the form called `key` has `key_password` and `key_code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request

from gateway.identity.errors import CodeRefused, LogInRefused
from gateway.identity.principal import Principal
from gateway.ports import GatewayError
from gateway.services import Services
from gateway.sign_in.forms import Form, directory_of, failed, origin_of


async def asked_of(services: Services, principal: Principal) -> dict[str, Any]:
    """Return what a page needs to know to ask for it: `has_password`, `second_factor`, `can_prove`, `fresh_minutes`, `oidc_label`."""
    directory, provider = directory_of(services), services.provider
    user = await directory.users.get(principal.user)
    return {
        "has_password": user.has_password,
        "second_factor": user.second_factor,
        "can_prove": user.has_password or await directory.reauthentication.is_fresh(principal),
        "fresh_minutes": directory.reauthentication.fresh_ms // 60_000,
        "oidc_label": None if provider is None else provider.settings.label,
    }


async def prove(
    request: Request[Any, Any, Any], services: Services, principal: Principal, name: str, fields: Mapping[str, str]
) -> None:
    """Go on only for whoever has shown in the form `name` that they are the user. Raises as `Reauthentication.all_factors`."""
    password, code = (fields.get(f"{name}_{factor}", "") for factor in ("password", "code"))
    await directory_of(services).reauthentication.all_factors(principal, password, code, origin_of(request))


def unproven(error: GatewayError, name: str, typed: Mapping[str, str]) -> Form:
    """Return the form `name`, which was refused, with what was typed; what is wrong with a password or code is beside that field."""
    form = failed(error, typed)
    match error:
        case LogInRefused():
            errors = {f"{name}_password": "This is not your password."}
        case CodeRefused():
            errors = {f"{name}_code": str(error)}
        case _:
            return form
    return msgspec.structs.replace(form, errors=errors, notice="", tone="")
