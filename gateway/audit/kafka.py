"""The audit log in Kafka. It has a producer of its own, so that neither it nor the orders wait for the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exchange.audit_log import AuditEntry
from exchange.topics import AUDIT
from wire.errors import NotReachableError
from wire.probe import listens
from wire.writer import PacketWriter


class KafkaSink:
    """Implements `audit.log.Sink` for a venue; it connects when there is something to write. `connect` makes its writer."""

    def __init__(self, bootstrap_servers: str, venue: str, connect: Callable[[], PacketWriter] | None = None) -> None:
        self._servers = bootstrap_servers
        self._connect = connect or (lambda: PacketWriter(bootstrap_servers, venue))
        self._writer: PacketWriter | None = None

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Return when the log has entries of one source. Raises WireError."""
        if self._writer is None:
            if not listens(self._servers):  # a client would try for long, and say so often
                raise NotReachableError(f"no Kafka broker answers at {self._servers}")
            self._writer = self._connect()
        try:
            self._writer.send(AUDIT, entries[0].source, entries)
            self._writer.flush()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection up."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
