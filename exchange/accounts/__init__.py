"""The accounts of one shard, as a machine: reserve, admit, settle, release.

Theory of operation: a command from outside is checked once against the ids seen (`exchange.requests`), then against the account.
An order that is paid for is admitted: its cost is reserved and it goes to its book. What the book reports is settled here first
and published then. Accounts know no market: whatever the book may do with an order, within its limit, is covered by what was
reserved.

`machine` takes messages in, `shard` holds what there is and writes messages out; between them `orders`, `changes`, `groups` and
`money` carry out commands, `operations` those of the operator, `reports` settles.
"""

from exchange.accounts.machine import Accounts

__all__ = ["Accounts"]
