"""Every message of market analysis survives the wire on its own topic, alone and in packets, and no other topic takes it."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import analysis as a
from exchange import messages as m
from exchange import packets
from exchange.errors import InvalidPacket
from exchange.packets import PacketDecoder, encode
from tests.gateway import facts

DECODERS: dict[str, PacketDecoder[Any]] = {
    name.removeprefix("decode_"): decode
    for name, decode in vars(packets).items()
    if name.startswith("decode_") and isinstance(decode, PacketDecoder)
}
OUTSIDE = {"source": "feed", "symbol": "AAPLUSD", "time_ms": 1}
ALERT: dict[str, Any] = {
    "account": "ann",
    "alert": "dip",
    "channels": ["inbox", "webhook"],
    "webhook": "https://example.org/",
}
CONDITIONS: tuple[a.Condition, ...] = (
    a.PriceCrosses(price=1.5, direction="either"),
    a.ChangeReaches(percent=2.5),
    a.VolumeSpikes(times=3.0, span_ms=60_000),
    a.IndicatorReaches(name="rsi(14)", direction="below", value=30.0, span_ms=60_000),
    a.SignalAppears(rule="vote"),
    a.OrderFills(),
)
CARRIED: list[tuple[str, m.Message]] = [
    ("market_data", a.OutsideBar(**OUTSIDE, open=1.0, high=2.0, low=3.0, close=-1.0, volume=-5.0)),
    ("market_data", a.NewsSentiment(**OUTSIDE, score=-7.5, magnitude=0.5)),
    ("market_data", m.Bar(source="@s", seq=1, symbol="A", start_ms=0, span_ms=1, open=1, high=1, low=1, close=1, volume=1)),
    ("candles", facts.candle(closed=True)),
    ("indicators", facts.indicators()),
    ("averages", facts.average()),
    ("profits", facts.profit()),
    ("leaders", facts.leader()),
    ("summaries", facts.summary(previous_close=None)),
    ("rankings", facts.market()),
    ("late_data", facts.late()),
    ("signals", facts.signal()),
    ("scores", facts.outcome()),
    ("scores", facts.score()),
    *(("alert_rules", a.SetAlert(**ALERT, condition=condition)) for condition in CONDITIONS),
    ("alert_rules", a.RemoveAlert(account="ann", alert="dip")),
    ("alerts", facts.alert(email="a@example.org")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "message"), CARRIED, ids=lambda value: value if isinstance(value, str) else type(value).__name__
)
def test_a_message_survives_the_wire_and_no_other_topic_takes_it(topic: str, message: m.Message) -> None:
    raw = encode(message)
    for name, decode in DECODERS.items():
        if name == topic:
            assert decode(raw) == [message]
            assert decode(encode([message, message])) == [message, message]
        else:
            with pytest.raises(InvalidPacket):
                decode(raw)


@pytest.mark.parametrize(
    ("topic", "message"), CARRIED, ids=lambda value: value if isinstance(value, str) else type(value).__name__
)
def test_an_unknown_field_is_refused(topic: str, message: m.Message) -> None:
    with pytest.raises(InvalidPacket):
        DECODERS[topic](encode(message)[:-1] + b',"colour":"red"}')
