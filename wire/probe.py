"""Whether a broker is there at all, asked without its protocol: a connection that is refused says no at once."""

from __future__ import annotations

import socket

PROBE_S = 1.0


def listens(bootstrap_servers: str, seconds: float = PROBE_S) -> bool:
    """Say whether any of the servers (`HOST:PORT[,HOST:PORT]`) takes a connection within so many seconds each."""
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds):
                return True
        except OSError:
            continue
    return False
