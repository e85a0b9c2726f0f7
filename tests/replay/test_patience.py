"""A broker that is away for a while is waited for, and not for ever."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from replay.history import read_bars
from replay.pace import Stop
from replay.patience import patiently
from wire.errors import NoTopicError, NotReachableError


class Broker:
    """A port that nobody listens on until `come` is called."""

    def __init__(self, port: socket.socket) -> None:
        self._port = port
        self.servers = f"127.0.0.1:{port.getsockname()[1]}"

    def come(self) -> None:
        self._port.listen()

    def read(self) -> str:
        """Read what there is, as whoever has a connection does."""
        host, _, port = self.servers.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5):
            return "what there is"


class Clock:
    """As the module `time`; it goes on when somebody sleeps, and when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class WhenTold(logging.Handler):
    """Has a broker come back once it is told that somebody waits for it."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self._broker = broker

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self._broker.come()


@pytest.fixture
def broker() -> Iterator[Broker]:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        yield Broker(port)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "replay.patience"]


def test_a_broker_that_comes_late_is_waited_for_and_both_are_told_once(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    log, handler = logging.getLogger("replay.patience"), WhenTold(broker)
    log.addHandler(handler)
    try:
        assert patiently(broker.servers, broker.read) == "what there is"
    finally:
        log.removeHandler(handler)
    away, back = told(caplog)
    assert away == f"no Kafka broker answers at {broker.servers}; it is asked again for up to 120 s"
    assert back.startswith("the broker answers again after ")


def test_a_read_that_the_broker_left_in_the_middle_is_done_anew(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.come()
    reads: list[str] = []

    def read() -> str:
        reads.append(broker.read())
        if len(reads) == 1:
            raise NotReachableError("Kafka does not tell where its topics end")
        return reads[-1]

    assert patiently(broker.servers, read) == "what there is"
    assert told(caplog)[0] == "Kafka does not tell where its topics end; it is asked again for up to 120 s"


@pytest.mark.parametrize("failures", [1, 3])
def test_however_long_a_read_took_the_wait_begins_when_it_fails(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    clock = Clock()
    monkeypatch.setattr("replay.patience.time", clock)
    broker.come()
    lasting_s = [300.0, *[30.0] * (failures - 1)]

    def read() -> str:
        if lasting_s:
            clock.sleep(lasting_s.pop(0))
            raise NotReachableError("Kafka sent nothing for 30 s")
        return "what there is"

    assert patiently(broker.servers, read) == "what there is"


def test_reads_that_fail_for_ever_are_given_up_though_the_broker_answers(
    broker: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("replay.patience.time", clock)
    broker.come()

    def read() -> str:
        clock.sleep(30)
        raise NotReachableError("Kafka sent nothing for 30 s")

    with pytest.raises(NotReachableError, match="sent nothing"):
        patiently(broker.servers, read)
    assert 1_030 + 120 <= clock.now_s < 1_030 + 160
    assert len(told(caplog)) == 1


def test_a_broker_that_is_there_is_read_at_once_without_a_word(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.come()
    assert patiently(broker.servers, broker.read, wait_s=0) == "what there is"
    assert told(caplog) == []


def test_a_broker_that_does_not_come_back_is_the_same_error_as_ever(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotReachableError, match=f"^no Kafka broker answers at {broker.servers}$"):
        patiently(broker.servers, broker.read, wait_s=0.6)
    assert len(told(caplog)) == 1


def test_a_topic_that_is_not_there_is_not_waited_for(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.come()

    def read() -> str:
        raise NoTopicError("Kafka has no topic replay.trades")

    with pytest.raises(NoTopicError):
        patiently(broker.servers, read)
    assert told(caplog) == []


def test_whoever_is_asked_to_stop_waits_no_longer(broker: Broker) -> None:
    with pytest.raises(NotReachableError):
        read_bars(broker.servers, "replay", Stop(asked=True))
