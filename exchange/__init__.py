"""The exchange itself, pure: what an order, a book, an account and a channel are.

Nothing here knows a clock, a socket, the environment or Flink. A machine (`book.Book`, `accounts.Accounts`) takes one
message and answers with messages; `host.Host` runs machines over packets; Flink, the simulator, `openbell match` and
`openbell verify` are all shells around that one host.
"""
