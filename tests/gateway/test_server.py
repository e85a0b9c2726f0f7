"""The server as a process: its arguments, its start without the servers behind it, and its end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis_server

from gateway.server import STOP_S
from openbell.supervise.processes import wait_until

ROOT = Path(__file__).parent.parent.parent
DEADLINE_S = 60
GOOD = {
    "--port": "0",
    "--bootstrap-servers": "127.0.0.1:1",
    "--redis": "redis://127.0.0.1:1/0",
    "--venue": "replay",
}


def command(**changes: str | None) -> list[str]:
    wanted = {**GOOD, **{f"--{name.replace('_', '-')}": value for name, value in changes.items()}}
    words = [word for name, value in wanted.items() if value is not None for word in (name, value)]
    return [sys.executable, "-m", "gateway.server", *words]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"port": "x"}, "'x' is not a whole number from 0 to 65535"),
        ({"port": "65536"}, "'65536' is not a whole number from 0 to 65535"),
        ({"account_shards": "0"}, "'0' is not a whole number from 1 to 720"),
        ({"bootstrap_servers": "nowhere"}, "'nowhere' is not HOST:PORT[,HOST:PORT]"),
        ({"bootstrap_servers": None}, "required: --bootstrap-servers"),
        ({"redis": "http://localhost"}, "Redis URL must specify one of the following schemes"),
        ({"venue": "Bad Venue"}, "venue 'Bad Venue' must be 1 to 32"),
        ({"span": "1y"}, "invalid choice: '1y'"),
        ({"host": "192.0.2.1"}, "cannot listen on 192.0.2.1:0"),
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_right_is_told_in_one_line(changes: dict[str, str | None], told: str) -> None:
    ended = subprocess.run(
        command(**changes), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert ended.returncode == 2
    assert told in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_help_has_an_example() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gateway.server", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "example: python -m gateway.server --port 8000" in " ".join(ended.stdout.split())


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            command(port=port), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ended.stderr


@contextmanager
def started(log: Path, **changes: str | None) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a server and give its process and its address."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command(**changes), cwd=ROOT, stderr=stream)
    try:
        found: list[str] = []

        def answers() -> bool:
            found[:] = re.findall(r"url=(\S+)", log.read_text())
            if not found:
                return False
            try:
                with urllib.request.urlopen(f"{found[0]}/health", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        assert wait_until(answers, DEADLINE_S), log.read_text()
        yield process, found[0]
    finally:
        process.kill()
        process.wait()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_server_starts_and_stops_with_nothing_behind_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(log) as (process, url):
        assert [status(url + path) for path in ("/", "/ready", "/metrics", "/api/native/markets")] == [
            503,
            503,
            200,
            503,
        ]
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        print(f"stopped in {time.monotonic() - begun:.1f} s, bound {STOP_S} s for connections")
    told = log.read_text()
    assert "Traceback" not in told
    assert "serving venue=replay" in told
    assert told.splitlines()[-1].endswith("stopped venue=replay")


def test_a_server_whose_redis_comes_later_goes_on_by_itself(tmp_path: Path) -> None:
    port = redis_server.free_port()
    with started(tmp_path / "log", redis=f"redis://127.0.0.1:{port}/0") as (_, url):
        assert status(f"{url}/ready") == 503
        with redis_server.running(tmp_path, port):
            assert status(f"{url}/health") == 200
            assert wait_until(lambda: "no projector" in _body(f"{url}/api/native/status"), DEADLINE_S)


def _body(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
