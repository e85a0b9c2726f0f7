"""Chains events to entries of the audit log and sees to it that they reach the log.

Theory of operation: an event becomes an entry of this process' chain, is written to its journal and waits in a queue; a thread of its own sends what waits,
a record at a time, until the log has it. So nobody who signs in waits for Kafka. While the log is away entries are kept here and in the
journal, up to `WAITING_MAX`; then, or when the journal cannot be written while the log is away, events are refused, and what they
tell of is not done. A process that starts is a new source, and sends what ended ones have left in their journals; one of these that it cannot read
or remove stays where it is. Whatever goes wrong in the thread, it tries again until the process ends.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec

from exchange.audit_log import CLOSED, FIRST, OPENED, AuditEntry, chained
from gateway.audit.event import TEXT_MAX, AuditEvent, AuditUnavailable
from gateway.audit.journal import Journal, left_behind
from wire.clock import wall_ms
from wire.errors import WireError

WAITING_MAX: Final = 20_000
RECORD_MAX: Final = 200
"""How many entries go in one record."""
RETRY_S: Final = 1.0
CLOSE_S: Final = 3.0
"""How long the end of the process waits for the log."""

_LOG = logging.getLogger(__name__)


class Sink(Protocol):
    """Where entries go. Its methods block, and are called by one thread."""

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Return when the log has entries of one source. Raises WireError."""

    def close(self) -> None:
        """Give the connection up."""


class AuditLog:
    """Implements `audit.Audit`. `folder` is where journals are; None: there are none, and a killed process loses what waits.

    Use it as a context manager.
    """

    def __init__(
        self,
        sink: Sink,
        folder: Path | None = None,
        *,
        now_ms: Callable[[], int] = wall_ms,
        waiting_max: int = WAITING_MAX,
        retry_s: float = RETRY_S,
    ) -> None:
        self.source = f"gateway-{secrets.token_hex(8)}"
        self._sink = sink
        self._folder = folder
        self._now_ms = now_ms
        self._refused = 0
        self._waiting_max = waiting_max
        self._retry_s = retry_s
        self._journal = Journal(folder, self.source) if folder is not None else None
        self._seq, self._last = 0, FIRST
        self._queue: deque[AuditEntry] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._away = self._journal_broken = self._journal_grows = False
        self._told: set[type[Exception]] = set()
        """The kinds of errors that were told since the log was written last."""
        self._staying: set[Path] = set()
        """The journals of others that were told to stay where they are."""
        self._sent: set[Path] = set()
        """Those of others that the log has and that could not be removed."""
        self._thread = threading.Thread(target=self._run, name="audit-log", daemon=True)

    def __enter__(self) -> Self:
        self.note(AuditEvent(actor="", action=OPENED, subject=self.source))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def refused(self) -> int:
        """The number of events that could not be kept."""
        return self._refused

    @property
    def waiting(self) -> int:
        """The number of entries that have not reached the log yet."""
        return len(self._queue)

    def available(self) -> bool:
        """Say whether an event would be kept now."""
        return len(self._queue) < self._waiting_max and not (self._away and self._journal_broken)

    def note(self, event: AuditEvent) -> None:
        """Keep an event; see the port."""
        with self._changed:
            if len(self._queue) >= self._waiting_max:
                self._refuse(event, "too many entries wait for Kafka")
            entry = self._entry(event)
            if self._journal is not None:
                try:
                    self._journal.append(entry)
                    self._journal_broken = False
                except OSError as error:
                    self._journal_broken = True
                    if self._away:
                        self._refuse(event, f"neither Kafka nor the journal takes it: {error}")
                    _LOG.error("the audit journal cannot be written: %s", error)
            self._seq, self._last = entry.seq, entry.hash
            self._queue.append(entry)
            self._changed.notify_all()

    def close(self) -> None:
        """Close the chain, and wait `CLOSE_S` at most until the log has it; what it has not by then is left in the journal."""
        try:
            self.note(AuditEvent(actor="", action=CLOSED, subject=self.source))
        except AuditUnavailable as error:
            _LOG.warning("the audit log is not closed in good order: %s", error)
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        if self._queue:
            kept = "kept in the journal" if self._journal is not None else "lost"
            _LOG.error("%s entries of the audit log have not reached Kafka and are %s", len(self._queue), kept)
        if self._journal is not None:
            self._journal.close(keep=bool(self._queue))

    def _entry(self, event: AuditEvent) -> AuditEntry:
        entry = AuditEntry(
            source=self.source,
            seq=self._seq + 1,
            time_ms=self._now_ms(),
            actor=_clean(event.actor),
            action=event.action,
            subject=_clean(event.subject),
            outcome=event.outcome,
            address=_clean(event.address),
            request_id=_clean(event.request_id),
            details={name: _clean(text) for name, text in event.details.items()},
            previous=self._last,
            hash=FIRST,
        )
        return chained(entry)

    def _refuse(self, event: AuditEvent, why: str) -> None:
        self._refused += 1
        _LOG.error("an event of safety is refused, action=%s: %s", event.action, why)
        raise AuditUnavailable("this cannot be written to the audit log now, so it was not done: try again later")

    # The thread that sends

    def _run(self) -> None:
        while self._folder is not None and not self._attempt(self._send_left):
            if self._pause():
                break
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ending)
                waiting = list(self._queue)[:RECORD_MAX]
                if not waiting:  # and it is ending
                    break
            if self._attempt(self._sink.write, waiting):
                with self._changed:
                    for _ in waiting:
                        self._queue.popleft()
                    self._settle()
            elif self._pause():
                break
        self._sink.close()

    def _attempt(self, call: Callable[..., None], *args: object) -> bool:
        """Try to send; say whether it went, and tell the log when that changes."""
        try:
            call(*args)
        except Exception as error:  # noqa: BLE001  (whatever it is, no entry would reach the log any more)
            self._tell(error)
            self._away = True
        else:
            if self._away:
                _LOG.info("the audit log is written again")
            self._away = False
            self._told.clear()
        return not self._away

    def _tell(self, error: Exception) -> None:
        """Tell why entries wait: of each kind of error once until they go again, of one that nobody expects its traceback, too."""
        if type(error) in self._told:
            return
        self._told.add(type(error))
        if isinstance(error, WireError):
            _LOG.warning("the audit log cannot be written, its entries wait: %s", error)
        else:
            _LOG.error("the audit log cannot be written, its entries wait", exc_info=error)

    def _pause(self) -> bool:
        """Wait before another attempt; say whether it is time to end instead."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ending, self._retry_s)

    def _settle(self) -> None:
        """Let the journal be emptied where the log has everything; one that cannot be grows, which loses nothing."""
        if self._queue or self._journal is None or self._ending:  # at its end it is removed
            return
        try:
            self._journal.settled()
        except OSError as error:
            if not self._journal_grows:
                _LOG.error("the audit journal cannot be emptied and grows: %s", error)
            self._journal_grows = True

    def _send_left(self) -> None:
        assert self._folder is not None
        for left in left_behind(self._folder, self._stays):
            if left.path in self._sent:
                continue
            try:
                entries = left.entries
            except (OSError, msgspec.MsgspecError) as error:
                self._stays(left.path, error)
                continue
            for begin in range(0, len(entries), RECORD_MAX):
                self._sink.write(entries[begin : begin + RECORD_MAX])
            _LOG.warning("%s entries of the audit log that another process had left were sent", len(entries))
            try:
                left.delete()
            except OSError as error:
                self._sent.add(left.path)
                _LOG.error("the audit journal %s was sent and cannot be removed: %s", left.path.name, error)

    def _stays(self, path: Path, error: Exception) -> None:
        """Tell once of a journal that cannot be read."""
        if path not in self._staying:
            self._staying.add(path)
            _LOG.error("the audit journal %s cannot be read and stays where it is: %s", path.name, error)


def _clean(text: str) -> str:
    """Return a text of bounded length that is sure to be encoded and decoded to itself."""
    return text[:TEXT_MAX].encode(errors="replace").decode()
