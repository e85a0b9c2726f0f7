"""An application with an administrator, an operator and others, and all that is written down of what they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from exchange.audit_log import AuditEntry
from gateway.admin.newest_audit import NewestAudit, ShowingSink
from gateway.audit.log import AuditLog
from tests.gateway.adapters import LOCAL
from tests.gateway.let_in import House, peopled
from wire.errors import NotReachableError


class KeptSink:
    """Keeps what would go to Kafka."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.up = True

    def write(self, entries: Sequence[AuditEntry]) -> None:
        if not self.up:
            raise NotReachableError("it is away")
        self.entries += entries

    def close(self) -> None:
        pass


class Administered(House):
    """A house with its audit log."""

    log: AuditLog
    kept: KeptSink

    def get(self, path: str, who: str) -> Any:
        self.client.cookies.clear()
        return self.client.get(path, headers=self.session(who))

    def post(self, path: str, who: str, **fields: str) -> Any:
        self.client.cookies.clear()
        return self.client.post(path, data=fields or {"empty": ""}, headers=self.session(who))

    def written(self, action: str) -> list[tuple[str, str, str]]:
        """Return actor, subject and outcome of what was written down of an action."""
        return [(each.actor, each.subject, each.outcome) for each in self._entries(action)]

    def details(self, action: str, subject: str) -> list[tuple[str, dict[str, str]]]:
        """Return outcome and details of what was written down of an action on somebody or something."""
        return [(each.outcome, each.details) for each in self._entries(action) if each.subject == subject]

    def _entries(self, action: str) -> list[AuditEntry]:
        once = {entry.seq: entry for entry in [*self.kept.entries, *self.log._queue]}
        return [each for each in once.values() if each.action == action]


@contextmanager
def administered(url: str, name: str, folder: Path, **settings: Any) -> Iterator[Administered]:
    kept = KeptSink()
    with AuditLog(ShowingSink(kept, url, name)) as log:
        made = peopled(url, name, folder, audit=log, newest_audit=NewestAudit(url, name), **settings)
        with TestClient(made.app, base_url=LOCAL) as client:
            client.follow_redirects = False
            home = Administered(client, made.floor, made.commands, made.directory, tls=False)
            home.log, home.kept = log, kept
            home.user("ada", "admin")
            home.user("ora", "operator")
            home.user("tom", "trader", "acme-*")
            yield home
