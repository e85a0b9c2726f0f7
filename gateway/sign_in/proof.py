"""Asks on one's own page once more who it is, before something is made that outlasts the session: a key, or another way to sign in.

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
