"""Ports for a stack's servers.

They are picked below the range from which the kernel takes the ports of outgoing connections: a client that retries a server which is
just being restarted could otherwise be given the server's own port, and be connected to itself.
"""

import socket
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from openbell.errors import NotReadyError
from openbell.settings import Settings, variable
from openbell.supervise.processes import wait_until

PORTS = ("kafka_port", "kafka_controller_port", "flink_rest_port", "flink_rpc_port")
FIRST = 20_000
COUNT = 12_000
SOON_S = 2.0


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(settings: Settings, remembered: dict[str, int]) -> Settings:
    """Settle every port: the one asked for, else the one this home had before, else a free one.

    Raises NotReadyError when a port that was asked for is taken.
    """
    chosen: dict[str, Any] = {}
    candidate = _start(settings.home)
    for name in PORTS:
        asked = getattr(settings, name)
        if asked:
            if not _soon_free(asked):
                raise NotReadyError(
                    f"port {asked} is taken by another program; stop that, or set {variable(name)} to another port or 0"
                )
            chosen[name] = asked
            continue
        known = remembered.get(name, 0)
        if known and _soon_free(known):
            chosen[name] = known
            continue
        while candidate in chosen.values() or not is_free(candidate):
            candidate = FIRST + (candidate + 1 - FIRST) % COUNT
        chosen[name] = candidate
    return replace(settings, **chosen)


def _soon_free(port: int) -> bool:
    """A server that was killed a moment ago may still be on its way out, its port not closed yet."""
    return wait_until(lambda: is_free(port), SOON_S)


def _start(home: Path) -> int:
    """Where a home begins to look, so that stacks started at the same moment hardly ever meet."""
    return FIRST + zlib.crc32(str(home).encode()) % COUNT
