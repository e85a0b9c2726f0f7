"""What the forms of these pages hold: what was typed, and what is wrong with it beside the field; never a password or a code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request

from gateway.identity.core import Origin
from gateway.identity.directory import Directory
from gateway.identity.errors import CodeRefused, InvalidField, TooManyAttempts
from gateway.identity.passwords import LENGTH_MIN
from gateway.limiting.address import UNKNOWN, client_address
from gateway.ports import GatewayError
from gateway.problems import Problem, problem_of
from gateway.services import Services
from gateway.tickets import Tone

PASSWORD_HINT: Final = f"At least {LENGTH_MIN} characters; several words are easier to keep in mind than signs."
TYPED_MAX: Final = 300
"""Greatest length of a field that is shown again as it was typed."""
_SECRET: Final = frozenset(("password", "current", "code"))
_SECRETS: Final = ("_password", "_code")
"""Which fields are never shown again, by name and by how a name ends."""


class Form(msgspec.Struct, frozen=True):
    """A form: values by field, what is wrong by field, and a notice. `status` is that of the answer that shows it."""

    values: dict[str, str] = {}
    errors: dict[str, str] = {}
    notice: str = ""
    tone: Tone = ""
    status: int = 200
    headers: dict[str, str] = {}


def failed(error: GatewayError, typed: Mapping[str, str]) -> Form:
    """Return a form that was refused, with what was typed."""
    values = {
        name: text[:TYPED_MAX] for name, text in typed.items() if name not in _SECRET and not name.endswith(_SECRETS)
    }
    problem = problem_of(error)
    form = Form(values=values, status=problem.status, headers=problem.headers, tone="bad")
    match error:
        case InvalidField():
            return msgspec.structs.replace(form, errors={error.field: str(error)}, tone="")
        case CodeRefused():
            return msgspec.structs.replace(form, errors={"code": str(error)}, tone="")
        case TooManyAttempts():
            return msgspec.structs.replace(form, notice=str(error))
        case _:
            return msgspec.structs.replace(form, notice=problem.message)


def origin_of(request: Request[Any, Any, Any]) -> Origin:
    """Return where a request came from: its client, behind whichever load balancers the settings trust."""
    services: Services = request.app.state["services"]
    address = client_address(request.scope, services.settings.trusted_proxies)
    return Origin("" if address == UNKNOWN else address, request.headers.get("user-agent", ""))


def directory_of(services: Services) -> Directory:
    """Return who keeps the users. Raises Problem if nobody does, or they are kept elsewhere."""
    if not isinstance(services.identities, Directory):
        raise Problem(404, "NO_USERS", "This server has no users: everybody who comes is a visitor.")
    return services.identities
