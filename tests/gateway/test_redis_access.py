"""Redis with users of least privilege, as docs/SECURITY.md has them, and over TLS: everybody can do their work, and nothing else."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import certificates
import pytest
import redis
import redis.asyncio
import redis_server
from litestar.testing import TestClient

from gateway.admin.newest_audit import NewestAudit, ShowingSink
from gateway.alerts.rules import RedisAlertRules
from gateway.audit.event import AuditEvent
from gateway.audit.log import AuditLog
from gateway.keys import Keys
from gateway.limiting.ports import Claim
from gateway.limiting.redis_limits import RedisLimits
from gateway.notify.outbox import Outbox
from gateway.redis_url import PASSWORD_FILE, with_password
from openbell.supervise.processes import wait_until
from tests.admin.administered import KeptSink
from tests.gateway.adapters import LOCAL, Floor, FloorCommands, app_over
from tests.gateway.projected import TOKEN

DOCUMENT = Path(__file__).parents[2] / "docs" / "SECURITY.md"
VENUE = "replay"
PASSWORD = "p@ss/wo:rd %#?"


class Server:
    """A running Redis that knows its users, over TLS."""

    def __init__(self, port: int, folder: Path, authority: Path) -> None:
        self.port = port
        self.authority = authority
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD + "\n")

    def url(self, user: str, password_file: Path | None = None) -> str:
        """Return a user's address as a process makes it: from its argument and its environment."""
        address = f"rediss://{user}@localhost:{self.port}/0?ssl_ca_certs={self.authority}"
        return with_password(address, {PASSWORD_FILE: str(password_file or self.password_file)})

    def client(self, user: str) -> Any:
        return redis.Redis.from_url(self.url(user))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path_factory.mktemp("redis-acl")
    files = certificates.make(folder)
    [lines] = re.findall(r"```acl\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    hashed = "#" + sha256(PASSWORD.encode()).hexdigest()
    (folder / "users.acl").write_text(lines.replace(">PASSWORD", hashed))
    found = Server(redis_server.free_port(), folder, files.authority)
    options = {
        "port": 0, "tls-port": found.port, "bind": "127.0.0.1 127.0.0.2", "save": "", "appendonly": "no", "dir": folder, "aclfile": folder / "users.acl",
        "tls-cert-file": files.certificate, "tls-key-file": files.key, "tls-ca-cert-file": files.authority, "tls-auth-clients": "no",
    }  # fmt: skip
    command = [program, *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with found.client("projector") as client:
            assert wait_until(lambda: _answers(client), 20, every=0.02), (folder / "redis.log").read_text()
        yield found
    finally:
        process.kill()
        process.wait()


def _answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_projector_gateway_and_notifier_do_all_their_work(server: Server) -> None:
    floor = Floor(server.url("projector"), VENUE)
    projected = floor.projected
    projected.rebuild()
    assert projected.store.lead(TOKEN)
    projected.store.switch(projected.generation, projected.commit, TOKEN)
    projected.store.tell_everything()
    projected.store.load(VENUE, projected.generation)
    projected.url = server.url("gateway")
    with TestClient(app_over(floor, FloorCommands(floor)), base_url=LOCAL) as client:
        for path in ("markets", "instruments", "depth/AAPLUSD", "trades/AAPLUSD", "candles/AAPLUSD?span=1d", "balances", "market", "leaders",
                     "markets/AAPLUSD/signals", "markets/AAPLUSD/indicators", "markets/AAPLUSD/averages"):  # fmt: skip
            assert client.get(f"/api/native/{path}").status_code in (200, 404), path
        order = {"symbol": "AAPLUSD", "side": "buy", "price": "101.00", "quantity": "5"}
        placed = client.post("/api/native/orders", json=order)
        assert (placed.status_code, placed.json()["order"]["state"]) == (201, "FILLED")
    projected.store.release(TOKEN)

    async def others() -> None:
        limits = RedisLimits(server.url("gateway"), VENUE)
        assert (await limits.take([Claim("orders:demo", 1, 2, 10)])).granted
        assert limits.together, "they are counted in Redis"
        await limits.close()
        outbox = Outbox(server.url("notifier"), VENUE, "token")
        assert await outbox.lead()
        await outbox.load()
        await outbox.forget_rules()
        await outbox.accept({("replay.alerts", 0): 1}, [], [], rules_complete=True)
        await outbox.release()
        await outbox.close()
        rules = RedisAlertRules(server.url("gateway"), VENUE)
        await rules.rules("demo")
        await rules.close()
        sink = ShowingSink(KeptSink(), server.url("gateway"), VENUE)
        with AuditLog(sink) as log:
            log.note(AuditEvent(actor="ann", action="role-changed"))
        newest = NewestAudit(server.url("gateway"), VENUE)
        assert "role-changed" in {entry.action for entry in await newest.newest()}
        await newest.close()

    asyncio.run(others())


REFUSED: list[tuple[str, tuple[Any, ...]]] = [
    ("gateway", ("SET", Keys(VENUE).generation, "mine")),
    ("gateway", ("SET", Keys(VENUE).beat, "{}")),
    ("gateway", ("EVAL", "return redis.call('SET', KEYS[1], 'mine')", 1, Keys(VENUE).lease)),
    ("gateway", ("PUBLISH", Keys(VENUE).changed, "{}")),
    ("gateway", ("GET", "openbell:other:beat")),
    ("gateway", ("FLUSHALL",)),
    ("gateway", ("CONFIG", "GET", "*")),
    ("projector", ("SET", "openbell:other:generation", "mine")),
    ("projector", ("FLUSHALL",)),
    ("projector", ("ACL", "LIST")),
    ("notifier", ("GET", Keys(VENUE).generation)),
    ("notifier", ("SET", Keys(VENUE).generation, "mine")),
]


@pytest.mark.parametrize(("user", "command"), REFUSED, ids=lambda value: value if isinstance(value, str) else value[0])
def test_nobody_does_what_is_not_theirs(server: Server, user: str, command: tuple[Any, ...]) -> None:
    with (
        server.client(user) as client,
        pytest.raises(redis.RedisError, match=r"(?i)no permissions|can't run this command|cannot access|can't access"),
    ):
        client.execute_command(*command)


def test_nobody_comes_in_without_the_password_or_without_tls(server: Server, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    with redis.Redis.from_url(server.url("gateway", wrong)) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    anonymous = f"rediss://localhost:{server.port}/0?ssl_ca_certs={server.authority}"
    with redis.Redis.from_url(anonymous) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with redis.Redis(port=server.port) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    with redis.Redis.from_url(f"rediss://localhost:{server.port}/0") as client, pytest.raises(redis.ConnectionError):
        client.ping()  # it does not trust this authority


def test_nobody_speaks_to_a_server_whose_certificate_is_for_another_host(server: Server) -> None:
    """The server is 127.0.0.2, too, for which its certificate, of an authority that is trusted, is not."""
    there = server.url("gateway").replace("localhost", "127.0.0.2")
    with redis.Redis.from_url(there) as client, pytest.raises(redis.ConnectionError, match="IP address mismatch"):
        client.ping()

    async def asynchronous() -> None:
        async with redis.asyncio.Redis.from_url(there) as client:
            with pytest.raises(redis.ConnectionError, match="IP address mismatch"):
                await client.ping()
        async with redis.asyncio.Redis.from_url(server.url("gateway")) as client:
            assert await client.ping()

    asyncio.run(asynchronous())
    with redis.Redis.from_url(there.replace("hostname=true", "hostname=false")) as client:
        assert client.ping(), "it is the name alone that is refused"


@pytest.mark.parametrize(
    ("query", "checked"),
    [
        ("", True),
        ("?ssl_ca_certs=ca.pem", True),
        ("?ssl_check_hostname=", True),
        ("?ssl_cert_reqs=required", True),
        ("?ssl_check_hostname=true", True),
        ("?ssl_check_hostname=false", False),
        ("?ssl_cert_reqs=none", False),
    ],
)
@pytest.mark.parametrize("module", [redis, redis.asyncio])
def test_the_name_of_a_host_is_checked_over_tls_unless_the_address_says_otherwise(
    tmp_path: Path, module: Any, query: str, checked: bool
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    for environment in ({}, {PASSWORD_FILE: str(tmp_path / "password")}):
        url = with_password(f"rediss://gateway@localhost:6379/0{query}", environment)
        options = module.ConnectionPool.from_url(url).connection_kwargs
        assert options.get("ssl_check_hostname", False) is checked
        assert options.get("password") == (PASSWORD if environment else None)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "unix:///run/redis.sock?db=1"])
def test_an_address_without_a_password_file_stays_as_it_is(url: str) -> None:
    assert with_password(url, {}) == url


@pytest.mark.parametrize(
    ("url", "variables", "told"),
    [
        ("redis://u:secret@localhost/0", {}, "write it into a file"),
        ("redis://localhost/0", {PASSWORD_FILE: "f"}, "needs an address with a user"),
        ("redis://u@localhost/0", {PASSWORD_FILE: "/nowhere/f"}, "/nowhere/f, which cannot be read"),
    ],
)
def test_what_cannot_be_is_told_without_the_secret(url: str, variables: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        with_password(url, variables)
    assert "secret" not in str(caught.value)
