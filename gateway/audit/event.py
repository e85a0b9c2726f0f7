"""What is written down of whoever does what concerns safety: the event, and the port that keeps it.

Kept for good in the topic `audit` (`exchange.audit_log` says how entries are chained); `gateway.audit.kafka` implements the port.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from gateway.limiting.address import client_address
from gateway.ports import GatewayError
from gateway.request_ids import request_id_of

TEXT_MAX: Final = 256
"""Greatest length of each text of an event; what is longer is cut."""
DETAILS_MAX: Final = 20
SECRET_WORDS: Final = ("password", "secret", "token", "signature", "otp", "recovery_code", "cookie")
"""No detail has a name with one of these in it: what such a name stands for is nobody's to read."""

AuditOutcome: TypeAlias = Literal["done", "refused"]


class AuditUnavailable(GatewayError):
    """What was asked for was not done, because it cannot be written down now."""


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has done, or was refused. `actor` is a user's name, empty of a visitor; `action` a constant such as `sign-in`.

    `subject` is whom or what it was done to, such as a user, a key's id or a symbol. `details` say more by name; never a secret.
    """

    actor: str
    action: str
    subject: str = ""
    outcome: AuditOutcome = "done"
    address: str = ""
    request_id: str = ""
    details: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Hold the event to its bounds."""
        assert len(self.details) <= DETAILS_MAX, "an event has too many details"
        for name in self.details:
            assert not any(word in name for word in SECRET_WORDS), f"an event tells {name}, which may be a secret"


class Audit(Protocol):
    """Keeps events."""

    def note(self, event: AuditEvent) -> None:
        """Keep an event; returns at once. Raises AuditUnavailable if it cannot be kept: then what it tells of must not be done."""

    def available(self) -> bool:
        """Say whether an event would be kept now."""

    @property
    def refused(self) -> int:
        """The number of events that could not be kept."""

    @property
    def waiting(self) -> int:
        """The number of entries that are kept here and have not reached the topic yet."""


def event_of(
    scope: Any,
    action: str,
    *,
    actor: str,
    subject: str = "",
    outcome: AuditOutcome = "done",
    trusted_proxies: tuple[str, ...] = (),
    **details: str,
) -> AuditEvent:
    """Return the event of a request (its ASGI scope), with the address and the id of the request."""
    return AuditEvent(
        actor=actor,
        action=action,
        subject=subject,
        outcome=outcome,
        address=client_address(scope, trusted_proxies),
        request_id=request_id_of(scope),
        details=details,
    )
