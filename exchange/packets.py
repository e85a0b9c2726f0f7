"""A Kafka record is a packet: a JSON array of messages of one key, in order, or a lone JSON object, a packet of one."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from exchange import analysis as a
from exchange import messages as m
from exchange.audit_log import AuditEntry
from exchange.errors import ExchangeError, InvalidPacket

M = TypeVar("M", bound=m.Message)

PACKET_MAX = 500
"""Greatest number of messages that a machine writes into one record: keeps it well under Kafka's 1 MB."""

encode = msgspec.json.Encoder().encode


class PacketDecoder(Generic[M]):
    """Decodes packets of the given messages and refuses all else."""

    def __init__(self, kinds: Any) -> None:
        self._decode = msgspec.json.Decoder(list[kinds] | kinds).decode

    def __call__(self, raw: bytes) -> list[M]:
        """Return the messages of a record's value.

        Raises:
            InvalidPacket: if it is no JSON, has an unknown type or field, or a value of a wrong type or range.
        """
        try:
            decoded = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ExchangeError) as error:
            raise InvalidPacket(str(error)) from error
        messages: list[M] = decoded if isinstance(decoded, list) else [decoded]
        if not messages:
            raise InvalidPacket("an empty packet")
        return messages


decode_book_inbox: PacketDecoder[Any] = PacketDecoder(m.BookCommand)
decode_account_inbox: PacketDecoder[Any] = PacketDecoder(m.AccountsInput)
decode_trades: PacketDecoder[m.Trade] = PacketDecoder(m.Trade)
decode_book_deltas: PacketDecoder[Any] = PacketDecoder(m.BookEvent)
decode_book_orders: PacketDecoder[m.OrderDelta] = PacketDecoder(m.OrderDelta)
decode_book_snapshots: PacketDecoder[m.BookSnapshot] = PacketDecoder(m.BookSnapshot)
decode_order_reports: PacketDecoder[Any] = PacketDecoder(m.OrderReport)
decode_account_updates: PacketDecoder[Any] = PacketDecoder(m.AccountUpdate)
decode_market_data: PacketDecoder[Any] = PacketDecoder(m.Bar | a.MarketData | m.Resume)
decode_candles: PacketDecoder[a.Candle] = PacketDecoder(a.Candle)
decode_indicators: PacketDecoder[a.Indicators] = PacketDecoder(a.Indicators)
decode_averages: PacketDecoder[a.WindowAverage] = PacketDecoder(a.WindowAverage)
decode_profits: PacketDecoder[a.WindowProfit] = PacketDecoder(a.WindowProfit)
decode_leaders: PacketDecoder[a.ProfitLeader] = PacketDecoder(a.ProfitLeader)
decode_summaries: PacketDecoder[a.SymbolSummary] = PacketDecoder(a.SymbolSummary)
decode_rankings: PacketDecoder[a.MarketSummary] = PacketDecoder(a.MarketSummary)
decode_late_data: PacketDecoder[a.LateData] = PacketDecoder(a.LateData)
decode_signals: PacketDecoder[a.Signal] = PacketDecoder(a.Signal)
decode_scores: PacketDecoder[Any] = PacketDecoder(a.SignalOutcome | a.RuleScore)
decode_alert_rules: PacketDecoder[Any] = PacketDecoder(a.SetAlert | a.RemoveAlert)
decode_alerts: PacketDecoder[a.Alert] = PacketDecoder(a.Alert)
decode_audit: PacketDecoder[AuditEntry] = PacketDecoder(AuditEntry)
decode_dead_letters: PacketDecoder[m.DeadLetter] = PacketDecoder(m.DeadLetter)
