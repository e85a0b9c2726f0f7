"""Brings what users do with their passwords, sessions and keys, as the directory of users tells it, into the audit log.

The directory tells of what is done already, so nothing can be refused then. Therefore a guard refuses before: where events cannot be
kept, nothing that makes one is begun.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway.audit.event import Audit, AuditEvent, AuditUnavailable
from gateway.guarding import RouteGuard
from gateway.identity.events import SecurityEvent, Tell
from gateway.request_ids import REQUEST_ID
from gateway.requests_log import concerns_safety

_REFUSED: Final = frozenset(("log-in-refused", "second-factor-refused"))
_LOG = logging.getLogger(__name__)


def telling(audit: Audit) -> Tell:
    """Return what writes the directory's events to the audit log."""
    return _Telling(audit)


class _Telling:
    """Implements `gateway.identity.untold.Keeper`."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def __call__(self, event: SecurityEvent) -> None:
        try:
            self._audit.note(event_of_identity(event))
        except AuditUnavailable as error:  # the log has said why, and the figures count it
            _LOG.error("an event is not in the audit log, action=%s: %s", event.what, error)

    async def keep(self, event: SecurityEvent) -> None:
        if not self._audit.available():  # it is no event that is refused, and not counted as one
            raise AuditUnavailable("the audit log takes nothing now")
        self._audit.note(event_of_identity(event))


def event_of_identity(event: SecurityEvent) -> AuditEvent:
    """Return the directory's event as the audit log has it: done by whoever did it, else by the user whom it concerns."""
    return AuditEvent(
        actor=event.by or event.user,
        action=event.what,
        subject=event.user,
        outcome="refused" if event.what in _REFUSED else "done",
        address=event.address,
        request_id=REQUEST_ID.get(),
        details=event.facts,
    )


def audit_guard(audit: Audit | None) -> RouteGuard:
    """Return a guard that raises AuditUnavailable for whatever concerns safety, as long as it could not be written down."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        scope: Any = connection.scope
        method = scope.get("method")
        if audit is not None and not audit.available() and concerns_safety(method, handler.opt):
            raise AuditUnavailable("this cannot be written to the audit log now, so it was not done: try again later")

    return guard
