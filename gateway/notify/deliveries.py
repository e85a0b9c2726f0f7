"""What is to be delivered: an alert by one channel, and how far that has come.

Theory of operation: a delivery is named by its event and channel, and exists once. It is `waiting` until the moment from which on it cannot
be taken back, is marked `begun` before that, and goes back to `waiting` only when it is known that the receiver has not taken it
or (webhooks) drops repeats by the event's id. `dead`: it is given up, and the dead letter is still to be written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from exchange.analysis import Alert, Channel
from exchange.host import Record
from exchange.messages import DeadLetter
from exchange.packets import encode

State: TypeAlias = Literal["waiting", "begun", "dead"]

PAUSES_MS: Final = (1_000, 5_000, 30_000, 120_000, 600_000)
"""How long to wait after each attempt that has failed; after one more, the delivery is given up."""
AGE_MAX_MS: Final = 1_800_000
"""An alert older than this is not sent any more: it stands in the inbox, and nobody is flooded after an outage."""
REASON_MAX: Final = 300
"""Greatest length of a reason, in characters."""


class Place(msgspec.Struct, frozen=True):
    """Where an alert stands in the log, when that was written, and its record's key."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An alert on its way to an e-mail address or a webhook (`target`). `step` counts the changes to this.

    `attempts` counts those that have failed; the next is not made before `due_ms`.
    """

    event: str
    channel: Channel
    target: str
    alert: Alert
    place: Place
    step: int = 0
    state: State = "waiting"
    attempts: int = 0
    due_ms: int = 0
    reason: str = ""

    @property
    def name(self) -> str:
        """What this delivery is claimed under."""
        return f"{self.event}:{self.channel}"

    def age_ms(self, now_ms: int, *, replay: bool) -> int:
        """Return how old the alert is: since it was written and, unless the venue replays the past, since its own time."""
        since = self.place.time_ms if replay else min(self.place.time_ms, self.alert.time_ms)
        return now_ms - since


def event_id(alert: Alert) -> str:
    """Return the id of an alert's event, 32 hexadecimal digits: the same wherever and whenever it is told again.

    >>> told = dict(event="AAPLUSD-7", symbol="AAPLUSD", time_ms=1, text="...", channels=["inbox"])
    >>> event_id(Alert(account="ann", alert="dip", **told)) == event_id(Alert(account="ann", alert="dip", **told))
    True
    """
    named = msgspec.json.encode([alert.account, alert.alert, alert.symbol, alert.event])
    return hashlib.sha256(named).hexdigest()[:32]


def deliveries_of(alert: Alert, record: Record) -> Iterable[Delivery]:
    """Yield what an alert asks to be delivered by this service; the inbox is a view, which needs no delivery."""
    place = Place(record.topic, record.partition, record.offset, record.time_ms, record.key)
    targets: tuple[tuple[Channel, str | None], ...] = (("email", alert.email), ("webhook", alert.webhook))
    for channel, target in targets:
        if channel in alert.channels and target:
            yield Delivery(event=event_id(alert), channel=channel, target=target, alert=alert, place=place)


def letter_of(delivery: Delivery) -> DeadLetter:
    """Return the dead letter of a delivery that is given up."""
    place = delivery.place
    detail = f"{delivery.channel} {delivery.event}: {delivery.reason}"
    return _letter(place, "UNDELIVERED", detail, encode(delivery.alert))


def unreadable(record: Record, error: Exception) -> DeadLetter:
    """Return the dead letter of a record of the topic `alerts` that is no alert."""
    place = Place(record.topic, record.partition, record.offset, record.time_ms, record.key)
    return _letter(place, "INVALID_PACKET", str(error)[:REASON_MAX], record.value)


def _letter(place: Place, reason: Any, detail: str, raw: bytes) -> DeadLetter:
    return DeadLetter(
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        key=place.key,
        reason=reason,
        detail=detail,
        raw=raw,
    )
