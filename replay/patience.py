"""Waits for a broker that is away for a while, such as one that is being started again.

Whoever plays into a venue has had answers of its broker before, so one that does not answer comes back. A reader is open or not: what it
was to read is read anew, from its beginning.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from replay.flow import STALL_S
from replay.pace import Stop
from wire.errors import NoTopicError, NotReachableError
from wire.probe import listens

ASK_EVERY_S: Final = 0.5
"""How soon it is noticed that the broker is back, or that the wait is to end."""

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


def patiently(bootstrap_servers: str, read: Callable[[], T], stop: Stop | None = None, wait_s: float = STALL_S) -> T:
    """Return what `read` does, which is tried again while the broker does not answer, until `stop` is asked for.

    Beginning and end of a wait are told to the log.

    Raises:
        NotReachableError: if a try fails `wait_s` or longer after the first that failed.
        NoTopicError: at once, if it answers that a topic does not exist.
    """
    failed_s: float | None = None
    while True:
        try:
            found = _read(bootstrap_servers, read)
        except NoTopicError:
            raise
        except NotReachableError as error:
            now_s, is_first = time.monotonic(), failed_s is None
            failed_s = now_s if failed_s is None else failed_s
            if now_s - failed_s >= wait_s or (stop is not None and stop.asked):
                raise
            if is_first:
                _LOG.warning("%s; it is asked again for up to %.0f s", error, wait_s)
            time.sleep(ASK_EVERY_S)
        else:
            if failed_s is not None:
                _LOG.warning("the broker answers again after %.0f s; going on", time.monotonic() - failed_s)
            return found


def _read(bootstrap_servers: str, read: Callable[[], T]) -> T:
    if not listens(bootstrap_servers):  # a client would try for long, and say so often
        raise NotReachableError(f"no Kafka broker answers at {bootstrap_servers}")
    return read()
