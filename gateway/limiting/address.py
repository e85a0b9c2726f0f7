"""Where a request comes from, also behind a load balancer.

Only a proxy that the settings name may say who it passes on (X-Forwarded-For): anybody else could write any address there, and so have
limits of others, or networks of others' API keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

UNKNOWN: Final = "0.0.0.0"  # noqa: S104  (nothing listens on it; it stands for a peer without an address, such as a Unix socket's)
HOPS_MAX: Final = 20
"""How many addresses of X-Forwarded-For are looked at, from the last on."""
IPV6_BITS: Final = 64
"""Who has one IPv6 address has all those of its network, so the network is counted."""

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


def client_address(scope: Any, trusted_proxies: Sequence[str] = ()) -> str:
    """Return the address of a request's client; `trusted_proxies` are the networks (CIDR) of proxies whose word counts.

    X-Forwarded-For is read from its end, where the nearest proxy has written, up to the first address that is no trusted proxy's.
    """
    peer = scope.get("client")
    address = _parsed(_unscoped(peer[0])) if peer else None
    trusted = networks(tuple(trusted_proxies))
    if address is None or not trusted or not _within(address, trusted):
        return UNKNOWN if address is None else str(address)
    for text in _forwarded(scope["headers"]):
        hop = _parsed(_unscoped(text))
        if hop is None:  # not an address: whoever wrote it, the last one that is known stands
            break
        address = hop
        if not _within(hop, trusted):
            break
    return str(address)


@lru_cache(maxsize=1_024)
def networks(texts: tuple[str, ...]) -> tuple[_Network, ...]:
    """Return networks from their texts. Raises ValueError, which names the one that is none."""
    return tuple(ip_network(text, strict=False) for text in texts)


def is_within(host: str | None, texts: tuple[str, ...]) -> bool:
    """Say whether an address is in one of some networks; where there are none, any address is.

    >>> is_within("10.1.2.3", ("10.0.0.0/8",)), is_within("::ffff:10.1.2.3", ("10.0.0.0/8",)), is_within(None, ("10.0.0.0/8",))
    (True, True, False)
    """
    if not texts:
        return True
    address = _parsed(host or "")
    return address is not None and _within(address, networks(texts))


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str:
    """Return by what an address is counted: of IPv6 its network; of what is no address its first 64 characters.

    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:3::4"), network_of("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7')
    """
    parsed = _parsed(address)
    if parsed is None:
        return address[:64]
    return str(ip_network((parsed, IPV6_BITS), strict=False)) if parsed.version == 6 else str(parsed)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    values = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return [hop.strip() for hop in ",".join(values).rsplit(",", HOPS_MAX)[-HOPS_MAX:]][::-1]


def _unscoped(text: str) -> str:
    """Leave the interface of a link-local address away."""
    return text.partition("%")[0]


@lru_cache(maxsize=1_024)
def _parsed(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: _Address, trusted: Iterable[_Network]) -> bool:
    return any(address in network for network in trusted)
