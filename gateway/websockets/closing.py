"""What websockets are closed with (RFC 6455, section 7.4, and its registry)."""

from __future__ import annotations

from typing import Final

POLICY: Final = 1008
"""The client may not have this, or may no longer, or does what is not taken here."""
TRY_LATER: Final = 1013
"""It cannot be had now: connect again later."""
