"""A real broker that asks for passwords, in the clear and within TLS: who has the right one comes in, jobs of Flink too, and nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import certificates
import local_flink
import pytest
import redis_server
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from exchange import topics
from exchange.analysis import EconomicIndicator, NewsSentiment
from exchange.messages import AccountOpened, DeadLetter, OpenAccount, shard_of
from exchange.packets import decode_account_inbox, decode_account_updates, decode_dead_letters, decode_market_data
from gateway.kafka_commands import KafkaCommands
from gateway.ports import NotTaken
from openbell.settings import Settings, variable
from openbell.stack import kafka
from openbell.stack import topics as broker_topics
from openbell.supervise.processes import wait_until
from tests.gateway.adapters import until
from wire.clock import wall_ms
from wire.errors import NotReachableError
from wire.reader import Reader
from wire.writer import PacketWriter

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
VENUE = "secure"
SHARDS = 16
PASSWORD = "correct-horse ${battery:x} 'staple'; #=//é"
USERS = ("gateway", "o'neil's \"jobs\" \\ {1}")
"""The second has all that might end its own name too early on its way into a job's Kafka client."""
REFUSAL = "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512"
DEADLINE_S = 120
OPEN = OpenAccount(account="ann", request_id="r", created_ms=1)


class Broker:
    """A broker that asks for passwords at two addresses, by protocol."""

    def __init__(self, servers: dict[str, str], jars: str, files: certificates.Certificates, folder: Path) -> None:
        self.servers = servers
        self.jars = jars
        self.files = files
        self.folder = folder

    def enter(
        self, monkeypatch: pytest.MonkeyPatch, protocol: str, password: str, mechanism: str, user: str = USERS[0]
    ) -> str:
        """Let clients of this process, and jobs that it submits, show a password, and return where they connect."""
        file = self.folder / "password"
        file.write_text(password + "\n", encoding="utf-8")
        variables = {"protocol": protocol, "mechanism": mechanism, "user": user, "password_file": file}
        for name, value in (variables | {"ca_file": self.files.authority}).items():
            monkeypatch.setenv(f"OPENBELL_KAFKA_{name.upper()}", str(value))
        return self.servers[protocol]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("kafka")
    jars = os.environ.get(variable("jars"), str(ROOT / ".openbell" / "jars"))
    ports = {
        name: redis_server.free_port() for name in ("kafka_port", "kafka_controller_port", "SASL_PLAINTEXT", "SASL_SSL")
    }
    wanted = {
        "home": folder / "home",
        "jars": jars,
        **{name: ports[name] for name in ("kafka_port", "kafka_controller_port")},
    }
    settings = Settings.from_mapping({variable(name): str(value) for name, value in wanted.items()})
    service = kafka.prepare(settings)
    files = certificates.make(folder)
    _secure(Path(service.command[-1]), ports, files, folder)
    environment = {**os.environ, **service.environment}
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(service.command, env=environment, stdout=log, stderr=log)
    try:
        inside = f"127.0.0.1:{ports['kafka_port']}"
        assert wait_until(lambda: broker_topics.answers(inside), DEADLINE_S, every=0.2), (
            folder / "broker.log"
        ).read_text()
        admin = KafkaAdminClient(bootstrap_servers=inside)
        for name, each in product(USERS, (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)):
            user = UserScramCredentialUpsertion(name, each, PASSWORD, iterations=4096)
            assert admin.alter_user_scram_credentials([user]) == {name: None}
        admin.close()
        broker_topics.create(inside, VENUE, 2)
        yield Broker({name: f"127.0.0.1:{ports[name]}" for name in ("SASL_PLAINTEXT", "SASL_SSL")}, jars, files, folder)
    finally:
        process.kill()
        process.wait()


def _secure(properties: Path, ports: dict[str, int], files: certificates.Certificates, folder: Path) -> None:
    """Let the broker listen at two further addresses, where it asks for passwords."""
    store = folder / "broker.pem"
    store.write_text(files.key.read_text() + files.certificate.read_text())
    listeners = {
        "PLAINTEXT": ports["kafka_port"],
        "SASL_PLAINTEXT": ports["SASL_PLAINTEXT"],
        "SASL_SSL": ports["SASL_SSL"],
    }
    advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    changes: dict[str, Any] = {
        "listeners": f"{advertised},CONTROLLER://127.0.0.1:{ports['kafka_controller_port']}",
        "advertised.listeners": advertised,
        "listener.security.protocol.map": ",".join(f"{name}:{name}" for name in listeners) + ",CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": store,
    }
    for name in ("sasl_plaintext", "sasl_ssl"):
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            changes[f"listener.name.{name}.{mechanism}.sasl.jaas.config"] = login
    lines = [line for line in properties.read_text().splitlines() if line.partition("=")[0] not in changes]
    properties.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in changes.items())]) + "\n")


@pytest.mark.parametrize(
    ("protocol", "mechanism"), [("SASL_PLAINTEXT", "SCRAM-SHA-256"), ("SASL_SSL", "SCRAM-SHA-512")]
)
def test_with_the_password_everything_is_written_and_read(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, protocol: str, mechanism: str
) -> None:
    servers = broker.enter(monkeypatch, protocol, PASSWORD, mechanism)
    assert broker_topics.create(servers, VENUE, 2) == [], "they are there already"
    before = broker_topics.state(servers, VENUE)
    with PacketWriter(servers, VENUE) as writer:
        writer.send(topics.ACCOUNT_INBOX, shard_of("ann", SHARDS), [OPEN])

    async def written() -> None:
        async with asyncio.timeout(DEADLINE_S), KafkaCommands(servers, VENUE, SHARDS) as commands:
            await until(commands.available)
            await commands.write(OPEN)

    asyncio.run(written())
    assert sum(one.records for one in broker_topics.state(servers, VENUE)) == sum(one.records for one in before) + 2
    with Reader(servers, VENUE, [topics.ACCOUNT_INBOX]) as reader:
        assert decode_account_inbox(list(reader.to_end())[-1].value) == [OPEN]


def test_many_commands_go_in_few_records_and_what_comes_from_outside_under_its_key(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = broker.enter(monkeypatch, "SASL_PLAINTEXT", PASSWORD, "SCRAM-SHA-512")
    many = [OpenAccount(account=f"a{n % 3}", request_id=f"r{n}", created_ms=1) for n in range(2_000)]
    news = NewsSentiment(source="ingest", symbol="AAPLUSD", time_ms=1, score=0.5, magnitude=0.5)
    rate = EconomicIndicator(source="ingest", name="rate", time_ms=1, value=2.5)
    letter = DeadLetter(
        topic="/ingest", partition=0, offset=1, key="", reason="INVALID_PACKET", detail="high is below low", raw=b"{}"
    )

    async def written() -> None:
        async with asyncio.timeout(DEADLINE_S), KafkaCommands(servers, VENUE, SHARDS) as commands:
            await until(commands.available)
            await commands.write_many(many)
            await commands.write_many([])
            await commands.record([news, rate])
            await commands.refuse(letter)

    with (
        Reader(servers, VENUE, [topics.ACCOUNT_INBOX]) as inbox,
        Reader(servers, VENUE, [topics.MARKET_DATA, topics.DEAD_LETTERS]) as outside,
    ):
        inbox.skip_to_end()
        outside.skip_to_end()
        asyncio.run(written())
        records = list(inbox.to_end())
        assert len(records) <= 6
        for account in ("a0", "a1", "a2"):
            found = [one for record in records for one in decode_account_inbox(record.value) if one.account == account]
            assert found == [one for one in many if one.account == account], "in their order"
        told = {record.key: record.value for record in outside.to_end()}
    assert decode_market_data(told["AAPLUSD"]) == [news]
    assert decode_market_data(told["@market"]) == [rate]
    assert decode_dead_letters(told["/ingest"]) == [letter]


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_with_a_wrong_password_nobody_comes_in_and_it_is_not_told(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    guess = "wrong horse"
    servers = broker.enter(monkeypatch, protocol, guess, "SCRAM-SHA-512")
    with pytest.raises(NotReachableError) as read:
        Reader(servers, VENUE, [topics.TRADES])
    with pytest.raises(NotReachableError):
        PacketWriter(servers, VENUE)

    async def refused() -> None:
        async with asyncio.timeout(DEADLINE_S), KafkaCommands(servers, VENUE, SHARDS) as commands:
            await until(lambda: "cannot be written" in caplog.text)
            with pytest.raises(NotTaken):
                await commands.write(OPEN)

    asyncio.run(refused())
    assert guess not in caplog.text + str(read.value)


def test_who_does_not_trust_the_broker_does_not_show_it_the_password(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = broker.enter(monkeypatch, "SASL_SSL", PASSWORD, "SCRAM-SHA-512")
    monkeypatch.setenv("OPENBELL_KAFKA_CA_FILE", "")
    with pytest.raises(NotReachableError):
        Reader(servers, VENUE, [topics.TRADES])


def test_a_job_within_tls_says_why_it_fails_and_goes_on_once_the_password_is_right(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    guess = "wrong-horse"
    servers = broker.enter(monkeypatch, "SASL_SSL", PASSWORD, "SCRAM-SHA-512", USERS[1])
    _open_account(servers, "bob")
    broker.enter(monkeypatch, "SASL_SSL", guess, "SCRAM-SHA-512", USERS[1])
    venue = ["--bootstrap-servers", servers, "--venue", VENUE, "--clock", "live"]
    with local_flink.running(tmp_path, broker.jars, "flink_jobs.accounts", *venue) as job:
        assert wait_until(lambda: job.ended() or REFUSAL in job.failures(), DEADLINE_S), job.said()[-5_000:]
        assert not job.ended(), job.said()[-5_000:]
        _shows_no(job, guess)
        broker.enter(monkeypatch, "SASL_SSL", PASSWORD, "SCRAM-SHA-512", USERS[1])
        update = _answer(job, servers, topics.ACCOUNT_UPDATES, b"bob")
        assert "bob" in {one.account for one in decode_account_updates(update) if isinstance(one, AccountOpened)}
        assert wait_until(job.runs, DEADLINE_S), job.said()[-5_000:]
        _shows_no(job, PASSWORD)


def test_the_raw_join_answers_in_the_clear_and_its_password_is_nowhere(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    servers = broker.enter(monkeypatch, "SASL_PLAINTEXT", PASSWORD, "SCRAM-SHA-256")
    _open_account(servers, "carol")
    named = [
        *("--orders", topics.topic_name(VENUE, topics.ACCOUNT_INBOX)),
        *("--trades", topics.topic_name(VENUE, topics.TRADES)),
        *("--refused", topics.topic_name(VENUE, topics.DEAD_LETTERS)),
    ]
    with local_flink.running(
        tmp_path, broker.jars, "flink_jobs.raw_join", "--bootstrap-servers", servers, *named
    ) as job:
        refused = json.loads(_answer(job, servers, topics.DEAD_LETTERS, b"carol"))
        assert refused["reason"] == "it is no JSON object", "a packet is a list"
        assert wait_until(job.runs, DEADLINE_S), job.said()[-5_000:]
        _shows_no(job, PASSWORD)


def _open_account(servers: str, account: str) -> None:
    command = OpenAccount(account=account, request_id=account, created_ms=wall_ms())
    with PacketWriter(servers, VENUE) as writer:
        writer.send(topics.ACCOUNT_INBOX, shard_of(account, SHARDS), [command])


def _answer(job: local_flink.LocalJob, servers: str, topic: str, part: bytes) -> bytes:
    """Return the first value of a topic that has a part; a job that ends before has failed."""
    found: list[bytes] = []
    with Reader(servers, VENUE, [topic]) as reader:

        def answered() -> bool:
            found.extend(record.value for record in reader.poll() if part in record.value)
            return bool(found) or job.ended()

        assert wait_until(answered, DEADLINE_S), job.said()[-5_000:]
    assert found, job.said()[-5_000:]
    return found[0]


def _shows_no(job: local_flink.LocalJob, password: str) -> None:
    said = job.said()
    assert "sasl.jaas.config = [hidden]" in said, "what Kafka's clients are made with is in the log"
    assert password.split(maxsplit=1)[0] not in said + job.shown(), (
        "nor a part of it, whatever the rest is written like"
    )
