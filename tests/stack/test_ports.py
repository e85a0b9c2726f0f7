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


def test_four_different_free_ports_are_picked(settings: Settings) -> None:
    chosen = ports.choose(settings, {})
    numbers = {getattr(chosen, name) for name in ports.PORTS}
    assert len(numbers) == 4
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
