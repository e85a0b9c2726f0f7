"""Traders, recorded flow, an operator and a vandal; whatever they send may be sent again."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import groupby
from typing import Any

from exchange import messages as m
from exchange import topics
from exchange.messages import MARKET, Message, shard_of
from exchange.packets import encode
from tests.simulation.log import SHARDS, START_MS, Log
from tests.simulation.operator import LISTINGS, Operator
from tests.simulation.traders import ACCOUNTS, ASSETS, PLAIN_ONLY, SYMBOLS, Traders

BAD_RECORDS = (
    b"",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"type":"Nothing"}',
    b'{"type":"Tick","key":"AAPLUSD","more":1}',
    b'{"type":"AdvanceClock","key":"0","time_ms":1e999}',
    b'{"type":"Tick","key":"of-another-key"}',
    b'{"type":"Resume","key":"of-another-key"}',
    b'{"type":"SetPhase","key":"AAPLUSD","phase":"lunch"}',
    b'{"type":"Delist","key":"0","symbol":""}',
)


class Clients:
    """All who write to a venue from outside."""

    def __init__(self, log: Log, dice: random.Random, *, traders: bool = True) -> None:
        self.log = log
        self.dice = dice
        self.by_hand = traders
        self.traders = Traders(dice)
        self.operator = Operator(log, dice)
        self.sent: list[tuple[str, str, bytes]] = []
        self.flow: dict[str, int] = defaultdict(int)
        self.time_ms = START_MS
        for topic, key, messages in self.operator.listings(traders=traders):
            self.send(topic, key, *messages)
        for account in ACCOUNTS if traders else ():
            common = {"account": account, "created_ms": START_MS}
            commands: list[Message] = [m.OpenAccount(**common, request_id="open")]
            commands += [
                m.Deposit(**common, request_id=asset, asset=asset, amount=amount) for asset, amount in ASSETS.items()
            ]
            self.send(topics.ACCOUNT_INBOX, shard_of(account, SHARDS), *commands)

    def send(self, topic: str, key: str, *messages: Message) -> None:
        value = encode(messages if len(messages) > 1 or self.dice.random() < 0.5 else messages[0])
        self.sent.append((topic, key, value))
        self.log.append(topic, key, value)

    def act(self) -> None:
        """Do one thing."""
        if not self.by_hand:
            self.record()
            return
        what = self.dice.random()
        if what < 0.60:
            self.trade()
        elif what < 0.72:
            self.record()
        elif what < 0.79:
            self.log.append(*self.dice.choice(self.sent))
        elif what < 0.81:
            self.advance()
        elif what < 0.97:
            for topic, key, message in self.operator.act():
                self.send(topic, key, message)
        else:
            self.vandalise()

    def trade(self) -> None:
        """Send a packet of commands of one account shard."""
        shard = shard_of(self.dice.choice(ACCOUNTS), SHARDS)
        accounts = [account for account in ACCOUNTS if shard_of(account, SHARDS) == shard]
        commands = [self.traders.command(self.dice.choice(accounts)) for _ in range(self.dice.randint(2, 5))]
        for key, packet in groupby(commands, lambda command: shard_of(command.account, SHARDS)):
            self.send(topics.ACCOUNT_INBOX, key, *packet)  # an order may be named by another than its owner

    def advance(self) -> None:
        """Let the time of a replay pass."""
        if self.log.clock == "replay":
            shard = str(self.dice.randrange(SHARDS))
            self.time_ms += self.dice.randint(0, 3_000)
            self.send(topics.ACCOUNT_INBOX, shard, m.AdvanceClock(key=shard, time_ms=self.time_ms))

    def vandalise(self) -> None:
        """Write what is no packet, or what belongs elsewhere."""
        topic = self.dice.choice(topics.INBOXES)
        values = BAD_RECORDS if self.dice.random() < 0.7 else [value for _, _, value in self.sent]
        self.log.append(topic, self.dice.choice(("", "AAPLUSD", "0", "1")), self.dice.choice(values))

    def record(self) -> None:
        """Send a packet of flow without accounts."""
        symbol = self.dice.choice(SYMBOLS)
        self.send(topics.BOOK_INBOX, symbol, *(self._flow(symbol) for _ in range(self.dice.randint(1, 5))))

    def _flow(self, symbol: str) -> Message:
        dice = self.dice
        self.flow[symbol] += 1
        seq = self.flow[symbol]
        self.time_ms += dice.randint(0, 200)
        common: dict[str, Any] = {
            "source": "@tape",
            "seq": seq,
            "time_ms": self.time_ms,
            "account": MARKET,
            "symbol": symbol,
        }
        if seq > 1 and dice.random() < 0.25:
            earlier = common | {"order_id": -dice.randrange(1, seq)}
            if dice.random() < 0.8 or symbol in PLAIN_ONLY:
                return m.PullOrder(**earlier)
            return m.ReviseOrder(**earlier, quantity=dice.randint(1, 12), price=dice.choice((0, 99, 101)))
        timed = dice.random() < 0.1
        special = None
        if symbol not in PLAIN_ONLY and dice.random() < 0.2:
            special = dice.choice(
                (m.Conditions(display=1), m.Conditions(post_only="slide"), m.Conditions(all_or_none=True))
            )
        return m.EnterOrder(
            **common,
            order_id=-seq if dice.random() < 0.98 else seq,
            side=dice.choice(("buy", "sell")),
            price=dice.randint(97, 103),
            quantity=dice.randint(1, 12),
            listing=self.operator.versions[symbol],
            time_in_force="GTD" if timed else "GTC",
            expires_ms=self.time_ms + dice.randint(1, 5_000) if timed else 0,
            conditions=special,
            maker_fee=dice.choice((0, 0, -200)),
            taker_fee=dice.choice((0, 0, 300)),
        )


__all__ = ["LISTINGS", "Clients"]
