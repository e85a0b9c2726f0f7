"""Ports are picked where no outgoing connection can take them, kept from start to start, and refused where taken."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from openbell.errors import NotReadyError
from openbell.settings import Settings
from openbell.stack import ports


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that stays taken is not waited for as long as one that may soon be free."""
    monkeypatch.setattr(ports, "SOON_S", 0.05)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_mapping({"OPENBELL_HOME": str(tmp_path)})


@pytest.fixture(autouse=True)
def preferred(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port for the page in place of 8000, which this machine may use, free for as long as nobody is given it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    monkeypatch.setattr(ports, "PREFERRED", {"gateway_port": port})
    return port


def test_a_different_free_port_is_picked_for_each(settings: Settings, preferred: int) -> None:
    chosen = ports.choose(settings, {})
    numbers = {getattr(chosen, name) for name in ports.PORTS} - {preferred}
    assert len(numbers) == len(ports.PORTS) - 1
    assert all(ports.FIRST <= number < ports.FIRST + ports.COUNT for number in numbers)
    assert all(ports.is_free(number) for number in numbers)


def test_a_home_keeps_its_ports(settings: Settings) -> None:
    first = ports.choose(settings, {})
    remembered = {name: getattr(first, name) for name in ports.PORTS}
    assert ports.choose(settings, remembered) == first


def test_a_remembered_port_that_is_taken_is_given_up(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert ports.choose(settings, {"kafka_port": taken}).kafka_port != taken


def test_a_port_asked_for_that_is_taken_is_refused(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(NotReadyError, match=f"port {taken} is taken .* OPENBELL_FLINK_REST_PORT"):
            ports.choose(replace(settings, flink_rest_port=taken), {})


def test_the_page_gets_the_port_that_people_expect_where_that_is_free(settings: Settings, preferred: int) -> None:
    assert ports.choose(settings, {}).gateway_port == preferred
    assert ports.choose(settings, {"gateway_port": 20_001}).gateway_port == 20_001, "a home keeps its port"
    with socket.create_server(("127.0.0.1", preferred)):
        elsewhere = ports.choose(settings, {}).gateway_port
    assert ports.FIRST <= elsewhere < ports.FIRST + ports.COUNT


def test_two_servers_are_never_given_the_same_port(settings: Settings, preferred: int) -> None:
    chosen = ports.choose(replace(settings, redis_port=preferred), {})
    assert chosen.gateway_port != preferred


def test_a_stack_without_the_page_needs_no_ports_for_it(settings: Settings) -> None:
    chosen = ports.choose(replace(settings, page="off"), {})
    assert (chosen.redis_port, chosen.gateway_port) == (0, 0)
    assert chosen.kafka_port


def test_the_page_needs_its_port_at_its_own_address(settings: Settings, preferred: int) -> None:
    with socket.create_server(("127.0.0.2", preferred)):
        assert ports.choose(settings, {}).gateway_port == preferred
        assert ports.choose(replace(settings, gateway_host="127.0.0.2"), {}).gateway_port != preferred
