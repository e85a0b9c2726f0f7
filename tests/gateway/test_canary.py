"""No secret is in a log, a figure, an entry of the audit log or an error: known ones are put in everywhere, and looked for."""

from __future__ import annotations

import hmac
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import redis
import redis_server

from openbell.supervise.processes import wait_until
from tests.gateway.adapters import Floor, FloorCommands, app_over

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60
CANARY = "c4n4ry"
"""In every secret that this test makes up; the server's own are added as it tells them."""
PASSWORD, WRONG, NEWER, REDIS, KAFKA = (
    f"{CANARY}-{name}-Zq7!" for name in ("right", "wrong", "newer", "redis", "kafka")
)
SIGNATURE = CANARY.encode().hex() + "0" * 52
SECRETS = {
    "password": WRONG,
    "current": WRONG,
    "factor_password": WRONG,
    "key_password": WRONG,
    "link_password": WRONG,
    "code": f"{CANARY}1",
    "key_code": f"{CANARY}2",
    "link_code": f"{CANARY}3",
    "secret": WRONG,
    "secretKey": WRONG,
    "token": WRONG,
    "signature": SIGNATURE,
    "apiKey": WRONG,
    "listenKey": WRONG,
}
"""Fields in which a secret may come, with one."""


@dataclass
class Told:
    """What the server has told, and the secrets that must not be in it."""

    base: str
    log: Path
    journals: Path
    secrets: set[str] = field(default_factory=lambda: {CANARY, SIGNATURE})
    errors: list[str] = field(default_factory=list)

    def client(self, **cookies: str) -> httpx.Client:
        headers = {"origin": self.base}
        return httpx.Client(base_url=self.base, headers=headers, cookies=cookies, timeout=DEADLINE_S)

    def note(self, answer: httpx.Response, *, error: bool = False) -> httpx.Response:
        """Keep what an error says; `error`: it must be one."""
        assert not error or answer.status_code >= 400, answer.text
        if answer.status_code >= 400:
            self.errors.append(f"{answer.text}\n{answer.headers}")
        return answer

    def check(self, figures: str) -> None:
        journal = "\n".join(path.read_text() for path in self.journals.glob("*.jsonl"))
        places = {"log": self.log.read_text(), "errors": "\n".join(self.errors), "audit": journal, "figures": figures}
        assert "log-in-refused" in journal
        assert len(places["log"]) > 1_000, "it does say something"
        for secret in self.secrets:
            for place, text in places.items():
                for form in {secret, secret.replace("!", "%21"), secret.encode().hex()}:
                    at = text.find(form)
                    assert at < 0, f"the {place}: ...{text[max(0, at - 300) : at + 100]}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A server whose Redis wants a password, and whose Kafka takes connections and says nothing."""
    folder = tmp_path_factory.mktemp("canary")
    for name, secret in (("redis", REDIS), ("kafka", KAFKA)):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    with redis_server.running(folder) as url, socket.create_server(("127.0.0.1", 0)) as kafka:
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", REDIS)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDEVMODE": "1",
            "OPENBELL_REDIS_PASSWORD_FILE": str(folder / "redis"),
            "OPENBELL_KAFKA_PROTOCOL": "SASL_PLAINTEXT",
            "OPENBELL_KAFKA_USER": "gateway",
            "OPENBELL_KAFKA_PASSWORD_FILE": str(folder / "kafka"),
        }
        words = {
            "--port": "0",
            "--bootstrap-servers": f"127.0.0.1:{kafka.getsockname()[1]}",
            "--redis": url.replace("redis://", "redis://default@"),
            "--venue": "canary",
            "--database": f"sqlite+aiosqlite:///{folder}/identity.db",
            "--secret-key-file": str(folder / "secret.key"),
            "--audit-folder": str(folder / "audit"),
            "--access-log": "all",
        }
        program = [sys.executable, str(Path(__file__).with_name("canary_server.py"))]
        log = folder / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*program, *(word for pair in words.items() for word in pair)],
                cwd=ROOT, env=environment, stdout=stream, stderr=stream,
            )  # fmt: skip
        try:
            assert wait_until(lambda: "url=" in log.read_text() or process.poll() is not None, DEADLINE_S)
            found = re.search(r"url=(http://[0-9.:]+)", log.read_text())
            assert found, log.read_text()
            assert wait_until(lambda: _answers(found[1]), DEADLINE_S), log.read_text()
            yield Told(found[1], log, folder / "audit")
        finally:
            process.kill()
            process.wait()


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health").status_code == 200
    except httpx.HTTPError:
        return False


def test_no_secret_is_told_wherever_it_comes_in_and_whatever_fails(told: Told, redis_url: str) -> None:
    key = live(told)
    signed_wrongly(told, key)
    sweep(told, redis_url)
    figures = told.client().get("/metrics").text
    told.check(figures)


def live(told: Told) -> str:
    """Be a user, with all that one has that is secret; returns an API key."""
    with told.client() as client:
        for password in (CANARY, f"{CANARY}x"):
            told.note(client.post("/sign-up", data={"name": "ann", "password": password}), error=True)
        told.note(client.post("/sign-up", data={"name": "ann", "password": PASSWORD}))
        assert client.cookies, "ann is signed in"
        told.secrets |= {value for value in client.cookies.values() if value}
        told.note(client.post("/account/password", data={"current": WRONG, "password": NEWER}), error=True)
        begun = told.note(client.post("/account/second-factor", data={"factor_password": PASSWORD}))
        found = re.search(r'<code class="secret">([A-Z2-7]+)</code>', begun.text)
        assert found, begun.text
        told.secrets.add(found[1])
        told.note(client.post("/account/second-factor/confirm", data={"code": f"{CANARY}1"}), error=True)
        code = pyotp.TOTP(found[1]).now()
        confirmed = told.note(client.post("/account/second-factor/confirm", data={"code": code}))
        told.secrets |= {each for each in client.cookies.values() if each}
        codes = re.findall(r"<li>(?:<code>)?([A-Za-z0-9-]{8,})", confirmed.text)
        assert codes, "the recovery codes are shown once"
        told.secrets |= set(codes)
        renewed = told.note(client.post("/account/second-factor/codes", data={"code": codes[0]}))
        codes = re.findall(r"<li>(?:<code>)?([A-Za-z0-9-]{8,})", renewed.text)
        told.secrets |= set(codes)
        key = {"label": "bot", "scope-read": "true", "scope-trade": "true"}
        for proof in ({"key_password": WRONG}, {"key_password": PASSWORD, "key_code": f"{CANARY}2"}):
            told.note(client.post("/account/keys", data=key | proof), error=True)
        made = told.note(client.post("/account/keys", data=key | {"key_password": PASSWORD, "key_code": codes[0]}))
        shown = re.findall(r'<code class="secret">([^<]+)</code>', made.text)
        assert len(shown) == 2, "a key and its secret are shown once"
        told.secrets.add(shown[1])
        key_id = shown[0]
        told.note(client.post("/sign-out"))
    with told.client() as client:
        told.note(client.post("/sign-in", data={"name": "ann", "password": WRONG}), error=True)
        told.note(client.post("/sign-in", data={"name": "nobody", "password": WRONG}), error=True)
        told.note(client.post("/sign-in", data={"name": "ann", "password": PASSWORD}))
        told.secrets |= {value for value in client.cookies.values() if value}
        told.note(client.post("/sign-in/second-factor", data={"code": codes[1]}))
        told.secrets |= {value for value in client.cookies.values() if value}
    return key_id


def signed_wrongly(told: Told, key: str) -> None:
    """Use an API key in every way that fails, and in ways that fail behind it."""
    with told.client() as client:
        del client.headers["origin"]
        for header in (WRONG, f"{key}.{WRONG}", f"{key}.", f".{WRONG}", f"{WRONG}.{WRONG}"):
            told.note(client.get("/api/native/balances", headers={"x-api-key": header}), error=True)
        query = f"symbol=AAPLUSD&timestamp={int(time.time() * 1000)}"
        genuine = hmac.new(WRONG.encode(), query.encode(), "sha256").hexdigest()
        told.secrets.add(genuine)
        for given in (SIGNATURE, genuine, CANARY, ""):
            for name in (key, WRONG):
                headers = {"X-MBX-APIKEY": name}
                url = f"/api/v3/order?{query}&signature={given}"
                told.note(client.get(url, headers=headers), error=True)
                body = f"{query}&signature={given}"
                form = {**headers, "content-type": "application/x-www-form-urlencoded"}
                told.note(client.post("/api/v3/order", content=body, headers=form), error=True)


def sweep(told: Told, redis_url: str) -> None:
    """Send secrets in every field, header and cookie to every route that there is."""
    floor = Floor(redis_url, "canary-routes", funded=False)
    app = app_over(floor, FloorCommands(floor))
    secret_headers = {
        "x-api-key": f"{WRONG}.{WRONG}",
        "x-mbx-apikey": WRONG,
        "authorization": f"Bearer {WRONG}",
    }
    asked = 0
    with told.client() as client:
        for route in app.routes:
            path = re.sub(
                r"\{[^}]*:int\}", "1", re.sub(r"\{[^}]*:(str|path)\}", "x", route.path_format.replace("{", "{"))
            )
            path = re.sub(r"\{[^}]*\}", "1", path)
            for method in sorted(getattr(route, "methods", ())):
                if method == "OPTIONS":
                    continue
                for headers in ({}, secret_headers, {"cookie": f"openbell={WRONG}; openbell-second={WRONG}"}):
                    for body in _bodies(method):
                        sent = {**headers, **body.pop("headers", {})}
                        told.note(client.request(method, path, headers=sent, params=SECRETS, **body))
                        asked += 1
    print(f"{asked} requests to {len(app.routes)} routes")


def _bodies(method: str) -> list[dict[str, Any]]:
    if method in ("GET", "HEAD"):
        return [{}]
    broken = {"content": f'{{"password": "{WRONG}"'.encode(), "headers": {"content-type": "application/json"}}
    return [{"data": SECRETS}, {"json": SECRETS}, broken]
