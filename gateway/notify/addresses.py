"""Where alerts may be sent to: what an e-mail address and a webhook's URL look like, and which network addresses are reached.

Whoever sets an alert names an address that this server then connects to, so it must not become a way into the network that the server
stands in: see `may_reach`. A name is resolved once, and the address that was looked at is the one that is connected to.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

EMAIL_MAX: Final = 254
URL_MAX: Final = 2_000
SCHEMES: Final = {"http": 80, "https": 443}
"""How a webhook may be reached, and the port unless another one is named."""

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})+")
_PRINTED = re.compile(r"[\x21-\x7e]+")
_TRANSLATED = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""Addresses that carry an IPv4 address with them, which some router may send on to."""


def email_flaw(text: str) -> str | None:
    r"""Say what to change about an e-mail address; None: nothing. Quoted names and letters beyond ASCII are not taken.

    >>> email_flaw("ann@example.org"), email_flaw("ann@example.org\nBcc: all@example.org")
    (None, 'This is no e-mail address: write one such as ann@example.org.')
    """
    if len(text) > EMAIL_MAX or not _EMAIL.fullmatch(text) or len(text.partition("@")[0]) > 64:
        return "This is no e-mail address: write one such as ann@example.org."
    return None


def webhook_flaw(text: str) -> str | None:
    """Say what to change about a webhook's URL; None: nothing.

    >>> webhook_flaw("https://example.org/hook"), webhook_flaw("ftp://example.org/")
    (None, 'This must begin with https:// or http://: write such a URL.')
    """
    if len(text) > URL_MAX or not _PRINTED.fullmatch(text) or "\\" in text:
        return f"This is no URL: write at most {URL_MAX} printable ASCII characters without a space."
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "This is no URL: write one such as https://example.org/hook."
    flaws = (
        (parts.scheme not in SCHEMES, "This must begin with https:// or http://: write such a URL."),
        (not named, "This URL names no host: write one such as https://example.org/hook."),
        ("@" in parts.netloc, "A URL must not carry a name or password: leave it away, the signature shows who sends."),
        (bool(parts.fragment), "A URL's part behind # is never sent: leave it away."),
    )
    return next((what for is_so, what in flaws if is_so), None)


def host_and_port(parts: SplitResult) -> tuple[str, int]:
    """Return what a URL without flaw is reached at."""
    return parts.hostname or "", parts.port or SCHEMES[parts.scheme]


def may_reach(address: str, *, private: bool) -> bool:
    """Say whether a webhook may be sent to an IP address.

    That is every public one. `private`: those of this machine and of private networks, too. Never: link-local ones, where
    clouds serve their machines' secrets, multicast, the unspecified one, and those that carry another address with them.

    >>> [may_reach(text, private=False) for text in ("93.184.216.34", "10.0.0.1", "127.0.0.1", "169.254.169.254", "::1")]
    [True, False, False, False, False]
    >>> [may_reach(text, private=True) for text in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "0.0.0.0")]
    [True, True, False, True, False]
    """
    found = _plain(address)
    if found is None or found.is_multicast or found.is_link_local or found.is_unspecified:
        return False
    if any(found in network for network in _TRANSLATED):
        return False
    return found.is_global or (private and found.is_private)


def _plain(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address, and of an IPv4 address in an IPv6 one the inner; None if it is none, or is of one link (`%`) only."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return None
        return found.ipv4_mapped or found
    return found
