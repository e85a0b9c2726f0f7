"""Passwords: which may be used, and how they are kept (argon2id) and compared without holding up anything else."""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import Final

from argon2 import PasswordHasher, profiles
from argon2.exceptions import Argon2Error, InvalidHashError

from gateway.identity.errors import InvalidField
from gateway.identity.ports import IdentitiesUnavailable

LENGTH_MIN: Final = 10
LENGTH_MAX: Final = 128
ADDED_MAX: Final = 6
"""So many digits and signs around a common password do not make it another."""
WAITING_MAX: Final = 64
"""How many may wait to be hashed before more are turned away: about 2 s of work."""
_THREADS: Final = 2
"""Each hash takes 64 MiB while it is made."""


def normal(password: str) -> bytes:
    """Return the form in which a password is hashed, so that it is the same from every keyboard: NFKC."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def check(password: str, *names: str) -> None:
    """Raise InvalidField if a password is too short, too long or easy to guess; `names` are those of its user and of the venue."""
    text = normal(password).decode("utf-8", "replace")
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX:
        raise InvalidField("password", f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters.")
    folded = text.casefold()
    if any(len(name) >= 3 and name.casefold() in folded for name in names):
        raise InvalidField("password", "The password has your name or the venue's in it: take another.")
    core = _core(folded)
    plain = folded in common() or (core in common() and len(folded) - len(core) <= ADDED_MAX)
    if plain or len(set(folded)) < 4:
        raise InvalidField("password", "This password is one of those that are tried first: take another.")


@cache
def common() -> frozenset[str]:
    """Return the most common passwords, in lower case."""
    listed = files("gateway.identity").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(listed.split())


def _core(folded: str) -> str:
    """Return a password without the digits and signs around it, which everybody adds."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)


class Passwords:
    """Hashes and compares, in threads of its own. `hasher` sets the cost: by default RFC 9106's second choice (64 MiB, 3 passes, 4 lanes)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody = _of_nobody(self._hasher)
        self.hashes = 0
        """How many passwords have been hashed, compared ones included."""

    async def hash(self, password: str) -> str:
        """Return what to keep of a password. Raises IdentitiesUnavailable if too many wait."""
        return await self._run(normal(password), None)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Say whether a password is the one that was kept. Without one it takes as long, and is False. Raises IdentitiesUnavailable."""
        return bool(await self._run(normal(password), kept or self._nobody)) and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Say whether it was hashed at another cost than is asked for now."""
        return self._hasher.check_needs_rehash(kept)

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, password: bytes, kept: str | None) -> str:
        if self._waiting >= WAITING_MAX:
            raise IdentitiesUnavailable("Too many log in at once: try again in a moment.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._work, password, kept)
        finally:
            self._waiting -= 1

    def _work(self, password: bytes, kept: str | None) -> str:
        self.hashes += 1
        if kept is None:
            return self._hasher.hash(password)
        try:
            return kept if self._hasher.verify(kept, password) else ""
        except (Argon2Error, InvalidHashError):
            return ""


def _of_nobody(hasher: PasswordHasher) -> str:
    """Return what looks like a hash of the same cost, to compare unknown users' passwords with. It is random, so no password has it."""
    salt, made = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${made}"
