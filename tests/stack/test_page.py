"""How the page's services are told what they need, and what is said while they do not answer."""

import socket
import sys
from pathlib import Path

import pytest

from openbell.errors import OpenbellError, SettingError
from openbell.settings import Settings
from openbell.stack import Stack, gateway, redis


def settings(home: Path, **more: str) -> Settings:
    given = {"home": str(home), "kafka_port": "20001", "redis_port": "20002", "gateway_port": "20003"} | more
    return Settings.from_mapping({f"OPENBELL_{name.upper()}": value for name, value in given.items()})


def test_projector_and_gateway_are_told_where_the_others_are(tmp_path: Path) -> None:
    given = settings(
        tmp_path, venue="eu", account_shards="8", demo_account="ann", gateway_hosts="bell.example.org,bell"
    )
    projector, server, _ = gateway.prepare(given)
    home = given.home
    venue = ["--bootstrap-servers", "127.0.0.1:20001", "--redis", "redis://127.0.0.1:20002/0", "--venue", "eu"]
    assert projector.command == [sys.executable, "-P", "-m", "gateway.projector", *venue]
    assert server.command == [
        *(sys.executable, "-P", "-m", "gateway.server", "--host", "127.0.0.1", "--port", "20003", *venue),
        *("--account-shards", "8", "--demo-account", "ann", "--span", "1d"),
        *("--allowed-host", "bell.example.org", "--allowed-host", "bell"),
        *("--database", f"sqlite+aiosqlite:///{home / 'identity.db'}", "--secret-key-file", str(home / "secret.key")),
        *(
            "--sign-up",
            "on",
            "--sandbox",
            "on",
            "--limits",
            "",
            "--gateways",
            "1",
            "--log-format",
            "text",
            "--tls",
            "off",
        ),
        *("--audit-folder", str(home / "audit"), "--access-log", "notable"),
        *("--seed-port", str(given.seed_port), "--seed-account", "demo"),
    ]
    assert (home / "secret.key").stat().st_mode & 0o077 == 0


def test_a_page_may_be_for_looking_only(tmp_path: Path) -> None:
    command = gateway.prepare(settings(tmp_path, demo_account="none", clock="live"))[1].command
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert (options["--demo-account"], options["--span"]) == ("", "1m")
    assert "--allowed-host" not in options


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:20003"),
        ("0.0.0.0", "http://127.0.0.1:20003"),
        ("192.0.2.1", "http://192.0.2.1:20003"),
    ],
)
def test_the_page_is_found_where_it_listens(tmp_path: Path, host: str, url: str) -> None:
    stack = Stack(settings(tmp_path, gateway_host=host))
    assert (stack.page_url, stack.redis_url) == (url, "redis://127.0.0.1:20002/0")


def test_redis_is_bound_in_memory_and_reach_and_keeps_no_files(tmp_path: Path) -> None:
    words = redis.prepare(settings(tmp_path, redis_mb="64")).command
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--bind"] == "127.0.0.1"
    assert (options["--maxmemory"], options["--maxmemory-policy"]) == ("64mb", "noeviction")
    assert (options["--save"], options["--appendonly"]) == ("", "no")
    assert Path(options["--dir"]).is_relative_to(tmp_path)


def test_an_address_of_this_machine_is_taken() -> None:
    gateway.need_address("127.0.0.1")
    gateway.need_address("0.0.0.0")
    with pytest.raises(SettingError, match=r"192\.0\.2\.1, which is no address of this machine"):
        gateway.need_address("192.0.2.1")


def test_a_page_that_does_not_answer_is_named_with_the_reason(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    stack = Stack(settings(tmp_path, gateway_port=port))
    with pytest.raises(
        OpenbellError, match=rf"the page is not ready after 0 s: http://127.0.0.1:{port}/ready does not"
    ):
        stack.wait_page(0)
