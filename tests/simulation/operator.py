"""What an operator does to a simulated venue: listings, phases, fees, limits, switches, and trades undone."""

from __future__ import annotations

import random
from typing import Any

from exchange import messages as m
from exchange import topics
from exchange.instruments import Instrument, Rules
from exchange.messages import shard_of
from exchange.verify import DECODERS
from tests.simulation.log import SHARDS, START_MS, Log, place_of
from tests.simulation.traders import ACCOUNTS, SYMBOLS

AAPL = Instrument(symbol="AAPLUSD", base="AAPL", quote="USD")
GOOG = Instrument(symbol="GOOGUSD", base="GOOG", quote="USD", tick="0.1", lot="0.1", base_scale=1, quote_scale=2)
PAIR = Instrument(symbol="PAIRUSD", base="PAIR", quote="USD")
EVEN = Instrument(symbol="EVENUSD", base="EVEN", quote="USD")
LISTINGS: dict[str, tuple[Instrument, Rules]] = {
    "AAPLUSD": (AAPL, Rules(order_by_order=True, band_ppm=25_000, collar_ppm=60_000, interruption_ms=2_000)),
    "GOOGUSD": (GOOG, Rules(matching="pro-rata", top_order=True, minimum_lots=2)),
    "PAIRUSD": (PAIR, Rules(matching="exact", order_by_order=True)),
    "EVENUSD": (EVEN, Rules(matching="equal-quantity", window_ms=3_000)),
}
"""What is listed at first, and how it is traded."""
VARIANTS: dict[str, tuple[tuple[Instrument, Rules], ...]] = {
    "AAPLUSD": (
        LISTINGS["AAPLUSD"],
        (AAPL, Rules(order_by_order=True)),
        (Instrument(symbol="AAPLUSD", base="AAPL", quote="USD", tick="0.02"), Rules(matching="pro-rata")),
    ),
    "GOOGUSD": (
        LISTINGS["GOOGUSD"],
        (Instrument(symbol="GOOGUSD", base="GOOG", quote="USD", tick="0.1", lot="0.2", base_scale=1), Rules()),
        (GOOG, Rules(matching="pro-rata", order_by_order=True)),
    ),
}
OTHER: dict[m.Side, m.Side] = {"buy": "sell", "sell": "buy"}
FEES = [m.FeeTier(maker=-2_000, taker=5_000), m.FeeTier(maker=1_000, taker=1_500)]
PHASES: tuple[m.Phase, ...] = (
    "pre-open", "opening-auction", "continuous", "continuous", "continuous", "halt", "closing-auction", "closed",
)  # fmt: skip


class Operator:
    """Makes an operator's commands, each with the inbox and the key that it goes to. `versions` are those it has listed."""

    def __init__(self, log: Log, dice: random.Random) -> None:
        self.log = log
        self.dice = dice
        self.versions = dict.fromkeys(LISTINGS, 1)
        self.runs = 0
        self.reopen: list[tuple[str, str, m.Message]] = []

    def listings(self, *, traders: bool) -> list[tuple[str, str, list[m.Message]]]:
        """Return what lists everything, for the books and, if there are accounts, for their shards."""
        sent = []
        for symbol, (instrument, rules) in LISTINGS.items():
            sent.append((topics.BOOK_INBOX, symbol, [m.ListInstrument(key=symbol, instrument=instrument, rules=rules)]))
        for shard in map(str, range(SHARDS)) if traders else ():
            listed: list[m.Message] = [
                m.ListInstrument(key=shard, instrument=instrument, rules=rules)
                for instrument, rules in LISTINGS.values()
            ]
            listed += [m.SetFees(key=shard, symbol=symbol, tiers=FEES) for symbol in ("AAPLUSD", "PAIRUSD")]
            sent.append((topics.ACCOUNT_INBOX, shard, listed))
        return sent

    def act(self) -> list[tuple[str, str, m.Message]]:
        """Do one thing; what was closed for long opens again first."""
        if self.reopen and self.dice.random() < 0.6:
            return [self.reopen.pop(0)]
        acts = (
            *[self._phase] * 3,
            *[self._bust] * 8,
            *[self._fees] * 2,
            *[self._limits] * 2,
            self._switch,
            self._resume,
            self._tick,
            self._cancel_symbol,
            self._relist,
            self._delist,
        )
        return self.dice.choice(acts)()

    def _phase(self) -> list[tuple[str, str, m.Message]]:
        symbol = self.dice.choice(("AAPLUSD", "GOOGUSD", "GOOGUSD", "AAPLUSD", "PAIRUSD", "EVENUSD"))
        phase = self.dice.choice(PHASES if symbol in VARIANTS else ("continuous", "closed", "halt"))
        at_ms = self.log.now_ms + self.dice.randint(0, 3_000) if self.dice.random() < 0.3 else 0
        if phase != "continuous":
            self.reopen.append((topics.BOOK_INBOX, symbol, m.SetPhase(key=symbol, phase="continuous")))
        return [(topics.BOOK_INBOX, symbol, m.SetPhase(key=symbol, phase=phase, at_ms=at_ms))]

    def _fees(self) -> list[tuple[str, str, m.Message]]:
        dice = self.dice
        symbol = dice.choice(tuple(LISTINGS))
        tiers = [m.FeeTier(maker=dice.randint(-9_000, 9_000), taker=dice.randint(0, 20_000)) for _ in range(2)]
        return [
            (topics.ACCOUNT_INBOX, shard, m.SetFees(key=shard, symbol=symbol, tiers=tiers))
            for shard in map(str, range(SHARDS))
        ]

    def _limits(self) -> list[tuple[str, str, m.Message]]:
        dice = self.dice
        names = ("order_lots", "order_notional", "open_orders", "orders_per_s", "position_lots")
        bounds = (
            dice.randint(4, 8),
            dice.randint(300, 900),
            dice.randint(1, 5),
            dice.randint(1, 2),
            dice.randint(1, 40),
        )
        at = dice.randrange(len(names))
        limits = m.Limits(tier=dice.randint(0, 2), **{names[at]: bounds[at]})
        account = dice.choice(ACCOUNTS)
        free = self._of_account(m.SetLimits, account, limits=m.Limits(tier=1))
        self.reopen.append(free)
        return [self._of_account(m.SetLimits, account, limits=limits)]

    def _switch(self) -> list[tuple[str, str, m.Message]]:
        account = self.dice.choice(ACCOUNTS)
        self.reopen.append(self._of_account(m.SetKillSwitch, account, on=False))
        return [self._of_account(m.SetKillSwitch, account, on=True)]

    def _of_account(self, kind: Any, account: str, **more: Any) -> tuple[str, str, m.Message]:
        shard = shard_of(account, SHARDS)
        return topics.ACCOUNT_INBOX, shard, kind(key=shard, account=account, **more)

    def _bust(self) -> list[tuple[str, str, m.Message]]:
        """Undo a trade of which all can be read in the log."""
        symbol = self.dice.choice(SYMBOLS)
        trades = [trade for trade in self._messages(topics.TRADES, symbol) if trade.symbol == symbol]
        reports = [report for shard in range(SHARDS) for report in self._messages(topics.ORDER_REPORTS, str(shard))]
        busts = (self._bust_of(trade, reports) for trade in self.dice.sample(trades, len(trades)))
        bust = next((bust for bust in busts if bust is not None), None)
        if bust is None:
            return []
        instrument = LISTINGS[symbol][0]
        runs = self._run(bust.seller, instrument.quote) + self._run(bust.buyer, instrument.base)
        return [*(runs if self.dice.random() < 0.5 else []), (topics.BOOK_INBOX, symbol, bust)]

    def _run(self, account: str, asset: str) -> list[tuple[str, str, m.Message]]:
        """Let somebody who has heard of it withdraw all that is free, or nearly so."""
        if account == m.MARKET:
            return []
        self.runs += 1
        shard = shard_of(account, SHARDS)
        return [
            (
                topics.ACCOUNT_INBOX,
                shard,
                m.Withdraw(
                    account=account,
                    request_id=f"run{self.runs}-{power}",
                    created_ms=START_MS,
                    asset=asset,
                    amount=2**power,
                ),
            )
            for power in range(11, -1, -2)
        ]

    def _bust_of(self, trade: m.Trade, reports: list[Any]) -> m.BustTrade | None:
        of_trade = [
            report for report in reports if getattr(report, "trade", 0) == trade.seq and report.symbol == trade.symbol
        ]
        fills = {report.side: report for report in of_trade if type(report) is m.OrderFilled}
        paid = {report.amount for report in of_trade if type(report) is m.FeeCollected}
        orders = {trade.taker_side: trade.taker_order, OTHER[trade.taker_side]: trade.maker_order}
        accounts = {side: fills[side].account if side in fills else m.MARKET for side in orders}
        fees = {side: fill.fee for side, fill in fills.items()}
        for side, order_id in orders.items():
            if order_id < 0 and len(fees) == 1 and (paid or not fees[OTHER[side]]):  # of little cash, flow pays nothing
                fees[side] = paid.pop() - fees[OTHER[side]] if paid else 0
        if len(fees) < len(orders):
            return None
        return m.BustTrade(
            key=trade.symbol, trade=trade.seq, price=trade.price, quantity=trade.quantity, buyer=accounts["buy"],
            seller=accounts["sell"], buy_order=orders["buy"], sell_order=orders["sell"], buy_fee=fees["buy"],
            sell_fee=fees["sell"], listing=trade.listing,
        )  # fmt: skip

    def _messages(self, topic: str, key: str) -> list[Any]:
        records = self.log.partitions[topic, place_of(key)][-40:]
        return [message for record in records for message in DECODERS[topic](record.value)]

    def _resume(self) -> list[tuple[str, str, m.Message]]:
        shard, symbol = str(self.dice.randrange(SHARDS)), self.dice.choice(tuple(LISTINGS))
        return [
            (topics.ACCOUNT_INBOX, shard, m.Resume(key=shard)),
            (topics.BOOK_INBOX, symbol, m.Resume(key=symbol)),
        ]

    def _tick(self) -> list[tuple[str, str, m.Message]]:
        shard = str(self.dice.randrange(SHARDS))
        return [(topics.ACCOUNT_INBOX, shard, m.Tick(key=shard))]

    def _cancel_symbol(self) -> list[tuple[str, str, m.Message]]:
        symbol = self.dice.choice(tuple(LISTINGS))
        return [(topics.BOOK_INBOX, symbol, m.CancelSymbol(key=symbol))]

    def _relist(self) -> list[tuple[str, str, m.Message]]:
        """Change a listing; books and shards hear of it in any order."""
        symbol = self.dice.choice(tuple(VARIANTS))
        return self._list(symbol, *self.dice.choice(VARIANTS[symbol]))

    def _list(self, symbol: str, instrument: Instrument, rules: Rules) -> list[tuple[str, str, m.Message]]:
        self.versions[symbol] += 1
        keys = [(topics.ACCOUNT_INBOX, str(shard)) for shard in range(SHARDS)] + [(topics.BOOK_INBOX, symbol)]
        self.dice.shuffle(keys)
        version = self.versions[symbol]
        return [
            (topic, key, m.ListInstrument(key=key, instrument=instrument, version=version, rules=rules))
            for topic, key in keys
        ]

    def _delist(self) -> list[tuple[str, str, m.Message]]:
        symbol = self.dice.choice(tuple(LISTINGS))
        self.reopen += self._list(symbol, *LISTINGS[symbol])
        gone: list[tuple[str, str, m.Message]] = [(topics.BOOK_INBOX, symbol, m.Delist(key=symbol, symbol=symbol))]
        shards = [str(shard) for shard in range(SHARDS)] if self.dice.random() < 0.5 else []
        return gone + [(topics.ACCOUNT_INBOX, shard, m.Delist(key=shard, symbol=symbol)) for shard in shards]
