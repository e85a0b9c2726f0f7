"""What has been replayed is told from what else a venue's market data hold."""

from exchange.analysis import NewsSentiment, OutsideBar
from exchange.channel import Inbound
from exchange.host import Record
from exchange.messages import Bar
from exchange.packets import encode
from replay import history
from wire.reader import fresh


def test_bars_are_found_once_each_among_market_data_from_outside() -> None:
    bars = [
        Bar(source="@s", seq=seq, symbol="A", start_ms=seq, span_ms=1, open=1, high=1, low=1, close=1, volume=1)
        for seq in (1, 2)
    ]
    outside = OutsideBar(source="feed", symbol="A", time_ms=1, open=1.0, high=1.0, low=1.0, close=1.0)
    news = NewsSentiment(source="feed", symbol="A", time_ms=1, score=0.5, magnitude=0.5)
    packets = [[outside, bars[0], news], [news], [bars[0], outside, bars[1]]]
    records = [Record("v.market-data", 0, offset, 1, "A", encode(packet)) for offset, packet in enumerate(packets)]
    assert list(fresh(Inbound(), records, history._bars)) == bars
