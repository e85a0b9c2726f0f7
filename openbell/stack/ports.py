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

PAGE_PORTS = ("redis_port", "gateway_port", "seed_port")
PORTS = ("kafka_port", "kafka_controller_port", "flink_rest_port", "flink_rpc_port", *PAGE_PORTS)
PREFERRED = {"gateway_port": 8000, "seed_port": 5000}
"""Ports that a person types."""
LOOPBACK = "127.0.0.1"
FIRST = 20_000
COUNT = 12_000
SOON_S = 2.0


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Say whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(settings: Settings, remembered: dict[str, int]) -> Settings:
    """Settle every port: the one asked for, else the one this home had before, else the preferred or another free one.

    Raises NotReadyError when a port that was asked for is taken.
    """
    chosen: dict[str, Any] = {}
    candidate = _start(settings.home)
    for name in needed(settings):
        host = host_of(settings, name)
        asked = getattr(settings, name)
        if asked:
            if not _soon_free(asked, host):
                raise NotReadyError(
                    f"port {asked} is taken by another program; stop that, or set {variable(name)} to another port or 0"
                )
            chosen[name] = asked
            continue
        known = remembered.get(name, 0)
        if known and _soon_free(known, host):
            chosen[name] = known
            continue
        preferred = PREFERRED.get(name, 0)
        if preferred and preferred not in chosen.values() and is_free(preferred, host):
            chosen[name] = preferred
            continue
        while candidate in chosen.values() or not is_free(candidate, host):
            candidate = FIRST + (candidate + 1 - FIRST) % COUNT
        chosen[name] = candidate
    return replace(settings, **chosen)


def needed(settings: Settings) -> list[str]:
    """The ports that this stack's servers listen on."""
    unused = () if settings.page == "on" else PAGE_PORTS
    if settings.seeds == "off":
        unused = (*unused, "seed_port")
    return [name for name in PORTS if name not in unused]


def host_of(settings: Settings, name: str) -> str:
    """The address on which the server of a port listens: all but the gateway's are for this machine alone."""
    return settings.gateway_host if name in ("gateway_port", "seed_port") else LOOPBACK


def _soon_free(port: int, host: str) -> bool:
    """A server that was killed a moment ago may still be on its way out, its port not closed yet."""
    return wait_until(lambda: is_free(port, host), SOON_S)


def _start(home: Path) -> int:
    """Where a home begins to look, so that stacks started at the same moment hardly ever meet."""
    return FIRST + zlib.crc32(str(home).encode()) % COUNT
