"""Repeats are dropped, whatever the packets they come in."""

from exchange.channel import Inbound
from exchange.host import Record
from exchange.messages import Bar, Trade
from exchange.packets import decode_market_data, decode_trades, encode
from wire.reader import fresh


def trade(seq: int, symbol: str = "A") -> Trade:
    return Trade(symbol=symbol, seq=seq, time_ms=1, price=1, quantity=1, taker_side="buy", maker_order=1, taker_order=2)


def bar(seq: int, symbol: str) -> Bar:
    return Bar(source="@s", seq=seq, symbol=symbol, start_ms=0, span_ms=1, open=1, high=1, low=1, close=1, volume=1)


def record(offset: int, *messages: object) -> Record:
    return Record("v.trades", 0, offset, 1, "A", encode(messages))


def test_repeated_messages_come_once() -> None:
    inbound = Inbound()
    records = [record(0, trade(1), trade(2)), record(1, trade(2), trade(3)), record(2, trade(1, "B"))]
    assert list(fresh(inbound, records, decode_trades)) == [trade(1), trade(2), trade(3), trade(1, "B")]
    assert list(fresh(inbound, [record(3, trade(3), trade(4))], decode_trades)) == [trade(4)]


def test_bars_are_numbered_by_source_and_symbol() -> None:
    records = [record(0, bar(1, "A")), record(1, bar(1, "B"), bar(1, "A"), bar(2, "A"))]
    assert list(fresh(Inbound(), records, decode_market_data)) == [bar(1, "A"), bar(1, "B"), bar(2, "A")]
