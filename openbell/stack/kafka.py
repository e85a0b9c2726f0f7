"""One Kafka broker that is its own controller (KRaft), with a small heap and nothing reachable from outside the machine."""

import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from openbell.errors import OpenbellError
from openbell.home import Home
from openbell.settings import Settings
from openbell.stack import java
from openbell.stack.log4j import LOG4J, LOG_FILE
from openbell.supervise.service import Service

MESSAGE_BYTES_MAX = 8_388_608
"""The broker's own bound on a batch of records; each topic sets its own below it."""


def properties(settings: Settings) -> str:
    """The broker's server.properties."""
    home = Home(settings.home)
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{settings.kafka_controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{settings.kafka_port},CONTROLLER://127.0.0.1:{settings.kafka_controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{settings.kafka_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": home.data / "kafka",
        "auto.create.topics.enable": "false",
        "num.partitions": settings.partitions,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
        "num.io.threads": 4,
        "num.network.threads": 2,
        "log.cleaner.dedupe.buffer.size": 8_388_608,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def prepare(settings: Settings) -> Service:
    """Write the broker's configuration, format its folder the first time, and return the service to run."""
    home = Home(settings.home)
    folder = home.config / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.properties").write_text(properties(settings))
    (folder / "log4j2.properties").write_text(LOG4J)
    base = [
        java.find(),
        "-cp",
        f"{settings.jars / 'kafka'}/*",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
    ]
    if not (home.data / "kafka" / "meta.properties").exists():
        _format(base, folder, home)
    heap = [f"-Xms{settings.kafka_heap_mb // 2}m", f"-Xmx{settings.kafka_heap_mb}m", "-XX:+UseSerialGC"]
    return Service(
        name="kafka",
        command=[*base, *heap, "-XX:+ExitOnOutOfMemoryError", "kafka.Kafka", str(folder / "server.properties")],
        environment={LOG_FILE: str(home.logs / "kafka.log"), "MALLOC_ARENA_MAX": "2"},
        stop_s=30,
    )


def _format(base: list[str], folder: Path, home: Home) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    small = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    command = [base[0], *small, *base[1:], "kafka.tools.StorageTool", "format"]
    command += [f"--cluster-id={cluster}", "-c"]  # in one word: an id may begin with a hyphen
    done = subprocess.run(
        [*command, str(folder / "server.properties")],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env={**os.environ, LOG_FILE: str(home.logs / "kafka-format.log")},
    )
    if done.returncode != 0:
        raise OpenbellError(f"Kafka's folder could not be formatted: {(done.stderr or done.stdout).strip()[-300:]}")
