"""How an operator sees that an account shard has taken what it was told: shards say nothing of a listing, a fee or a switch.

Behind the command, in the same packet, goes a request of an account that cannot exist. A packet is taken whole or not at all, so its refusal
in `order-reports` shows that the shard has taken all before it.
"""

from __future__ import annotations

from typing import Final

from exchange.messages import CancelOrder, shard_of

ECHO: Final = "@operator-"
"""What the names begin with of accounts that nobody has and nobody can open."""


def echo(shard: str, shards: int, request_id: str, created_ms: int) -> CancelOrder:
    """Return a request that a shard can only refuse.

    >>> echo("3", 16, "r", 0).account
    '@operator-12'
    """
    number = 0
    while shard_of(f"{ECHO}{number}", shards) != shard:
        number += 1
    return CancelOrder(account=f"{ECHO}{number}", request_id=request_id, created_ms=created_ms)
