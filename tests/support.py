"""Types that tests of several folders share."""

from typing import Any, Protocol

from openbell.stack import Stack


class StartStack(Protocol):
    """Start a stack in a home of its own; keywords are fields of `Settings`. It is stopped at the end of the test."""

    def __call__(self, *, jobs: bool = True, **settings: Any) -> Stack: ...
