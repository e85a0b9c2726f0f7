"""What the pages of those who run a venue have in common: their sections, and the notes in the audit log of what is done there."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response
from litestar.response import Redirect

from gateway.audit.event import AuditOutcome, event_of
from gateway.identity.principal import Principal
from gateway.identity.roles import Action, may
from gateway.pages import header, html
from gateway.ports import GatewayError
from gateway.services import Services
from gateway.sign_in.forms import Form

ADMIN: Final = "/admin"
SECTIONS: Final[tuple[tuple[str, str, Action], ...]] = (
    ("market", "Market", "operate"),
    ("users", "Users", "administer"),
    ("keys", "API keys", "administer"),
    ("audit", "Audit log", "administer"),
)
"""Path, name and needed action of each section."""
SURE: Final = "Tick the box first: this cannot be taken back by a click."

AdminRequest = Request[Any, Any, Any]


async def page(
    request: AdminRequest,
    services: Services,
    principal: Principal,
    template: str,
    section: str,
    shown: Form | None = None,
    **context: Any,
) -> Response[str]:
    """Answer with a page; `shown` is what it has to say about the last request, and the answer's status."""
    shown = shown or Form()
    try:
        top = await header(request, services, principal)
    except GatewayError:  # what concerns safety can be done while the views cannot be read
        top = await header(request, services, Principal(user=principal.user, role="viewer", account=None))
        top |= {"here": False, "unread": 0}
    sections = [(f"{ADMIN}/{path}", name, path == section) for path, name, needs in SECTIONS if may(principal, needs)]
    text = services.renderer.page(template, **top, sections=sections, form=shown, **context)
    answer = html(text, shown.status)
    answer.headers.update(shown.headers)
    return answer


def note(
    request: AdminRequest,
    services: Services,
    principal: Principal,
    action: str,
    subject: str,
    outcome: AuditOutcome = "done",
    **details: str,
) -> None:
    """Write down what is about to be done, or was refused. Raises AuditUnavailable: then it must not be done."""
    if services.audit is not None:
        trusted = services.settings.trusted_proxies
        services.audit.note(
            event_of(
                request.scope,
                action,
                actor=principal.user,
                subject=subject,
                outcome=outcome,
                trusted_proxies=trusted,
                **details,
            )
        )


def sent_on(path: str) -> Redirect:
    """Send the browser to a page after a form, so that reloading repeats nothing."""
    return Redirect(path, status_code=303)


def is_sure(fields: dict[str, str]) -> bool:
    """Say whether a form that cannot be taken back was confirmed."""
    return fields.get("sure") == "yes"
