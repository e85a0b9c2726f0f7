"""The tables: made once by however many start at once, as the models say, and of no use without the secret key."""

from __future__ import annotations

import asyncio
import logging
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.fernet import Fernet
from sqlalchemy import Connection, inspect, text

from gateway.identity.database import BadDatabase, Database, config
from gateway.identity.directory import Directory
from gateway.identity.errors import IdentityError
from gateway.identity.models import Base
from gateway.identity.ports import IdentitiesUnavailable
from gateway.identity.secrets import BadSecretKey, SecretKey, load_secret
from tests.identity.directories import HOME, PASSWORD, World, played

CANARY = "canary-Passw0rd-77"


def test_eight_that_start_at_once_on_nothing_make_the_tables_once_and_they_are_as_the_models_say(url: str):
    async def scenario() -> None:
        databases = [Database(url) for _ in range(8)]
        await asyncio.gather(*(database.start() for database in databases))
        await databases[0].start()
        async with databases[0].read() as connection:
            differences = await connection.run_sync(
                lambda to: compare_metadata(MigrationContext.configure(to), Base.metadata)
            )
        for database in databases:
            await database.stop()
        assert differences == []

    asyncio.run(scenario())


def test_the_migrations_go_down_to_nothing_and_up_again(url: str):
    def down(connection: Connection) -> list[str]:
        settings = config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, "base")
        return inspect(connection).get_table_names()

    async def scenario() -> None:
        database = Database(url)
        await database.start()
        async with database.write() as connection:
            assert await connection.run_sync(down) == ["alembic_version"]
        await database.start()
        await database.stop()

    asyncio.run(scenario())


def test_what_was_cancelled_in_the_middle_has_ended_when_the_database_has_stopped(tmp_path: Path):
    before = set(threading.enumerate())

    async def scenario() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/identity.db")
        await database.start()

        async def read() -> None:
            async with database.read() as connection:
                await connection.execute(text("SELECT count(*) FROM users"))

        readers = [asyncio.create_task(read()) for _ in range(10)]
        for reader in readers:
            await asyncio.sleep(0)
            reader.cancel()
        await asyncio.wait(readers)
        assert all(reader.cancelled() for reader in readers)
        await database.stop()
        assert {
            thread for thread in threading.enumerate() if thread.name.endswith("(_connection_worker_thread)")
        } <= before

    for _ in range(5):
        asyncio.run(scenario())


def test_a_newer_database_is_not_touched(url: str):
    async def scenario() -> None:
        database = Database(url)
        await database.start()
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(BadDatabase, match="newer Openbell"):
            await database.start()
        await database.stop()

    asyncio.run(scenario())


def test_a_database_that_is_not_there_is_unavailable_and_its_password_is_not_told(tmp_path: Path):
    async def scenario() -> None:
        gone = Database(f"postgresql+psycopg://openbell:{CANARY}@/identity?host={tmp_path}")
        with pytest.raises(IdentitiesUnavailable, match="does not answer") as caught:
            await gone.start()
        assert CANARY not in str(caught.value)
        assert CANARY not in repr(gone)
        assert caught.value.__suppress_context__

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
def test_what_is_no_database_for_this_is_refused_before_anything_starts(url: str):
    with pytest.raises(BadDatabase):
        Database(url)


def test_another_secret_key_is_refused_at_the_start(url: str):
    world = World(url)

    async def scenario(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)

    async def other() -> None:
        directory = world.directory(secret=SecretKey.new())
        with pytest.raises(BadSecretKey, match="put that one back"):
            await directory.start()
        await directory.stop()

    played(world, scenario)
    asyncio.run(other())


def test_a_secret_key_is_replaced_by_one_in_front_and_sealing_anew(url: str):
    world = World(url)
    old, new = Fernet.generate_key(), Fernet.generate_key()
    names: dict[str, str] = {}

    async def before(directory: Directory) -> None:
        await directory.users.create("alice", PASSWORD)
        await directory.second_factors.begin("alice")
        names["key"], names["secret"] = await directory.keys.create("alice", ["read"])

    async def between(directory: Directory) -> None:
        assert await directory.renew_seals() == 3

    async def after(directory: Directory) -> None:
        key = await directory.key(names["key"])
        assert key is not None
        assert key.secret == names["secret"].encode()

    played(world, before, secret=SecretKey([old]))
    played(world, between, secret=SecretKey([new, old]))
    played(world, after, secret=SecretKey([new]))


def test_what_is_sealed_as_one_thing_opens_as_no_other():
    secret = SecretKey.new()
    sealed = secret.seal(b"text", "key:a")
    assert secret.open(sealed, "key:a") == b"text"
    for key, about in ((secret, "key:b"), (SecretKey.new(), "key:a")):
        with pytest.raises(BadSecretKey):
            key.open(sealed, about)


def test_the_key_file_is_made_once_for_its_owner_only_and_refused_when_others_can_read_it(tmp_path: Path):
    path = tmp_path / "secret.key"
    sealed = load_secret(path).seal(b"text", "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]
    assert load_secret(path).open(sealed, "x") == b"text"
    path.write_bytes(Fernet.generate_key() + b"\n" + path.read_bytes())
    assert load_secret(path).open(sealed, "x") == b"text"
    path.chmod(0o640)
    with pytest.raises(BadSecretKey, match="chmod 600"):
        load_secret(path)
    path.chmod(0o600)
    for wrong in (b"", b"not a key\n"):
        path.write_bytes(wrong)
        with pytest.raises(BadSecretKey, match=r"secret\.key"):
            load_secret(path)


def test_no_secret_stands_in_the_database_a_repr_a_log_or_an_exception(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    world = World(url)
    secrets: list[str] = [CANARY]
    shown: list[Any] = []

    async def scenario(directory: Directory) -> None:
        shown.append(await directory.users.create("alice", CANARY))
        setup = await directory.second_factors.begin("alice")
        log_in = await directory.door.log_in("alice", CANARY, HOME)
        key_id, secret = await directory.keys.create("alice", ["read"])
        shown.extend([setup, log_in, await directory.key(key_id), await directory.session(log_in.token)])
        shown.extend(
            [*await directory.keys.of("alice"), *await directory.sessions.of("alice"), directory, world.secret]
        )
        secrets.extend([setup.secret, log_in.token, secret])
        for wrong in (directory.door.log_in("alice", CANARY + "x"), directory.door.sign_up("al", CANARY)):
            try:
                shown.append(await wrong)
            except IdentityError as error:
                shown.append(error)
        async with directory._core.database.read() as connection:
            for table in Base.metadata.sorted_tables:
                shown.extend((await connection.execute(text(f"SELECT * FROM {table.name}"))).all())

    played(world, scenario)
    said = repr(shown) + repr(world.told) + caplog.text
    assert [secret for secret in secrets if secret in said] == []
    if url.startswith("sqlite"):
        files = list(tmp_path.glob("identity.db*"))
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        kept = b"".join(file.read_bytes() for file in files)
        assert [secret for secret in secrets if secret.encode() in kept] == []
