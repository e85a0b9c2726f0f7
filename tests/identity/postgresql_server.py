"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, which only a Unix socket in it leads to."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from openbell.supervise.processes import wait_until

USER = "openbell"


@contextmanager
def running() -> Iterator[Path]:
    """Run a server and give the folder of its socket; as root it is run by another user, for it refuses root."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="openbell-pg-"))
    try:
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_owner = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": ()}
        data, log = folder / "data", folder / "log"
        make = [programs / "initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **as_owner)
        settings = [f"-c{name}" for name in ("fsync=off", "listen_addresses=", "max_connections=200")]
        with log.open("wb") as file:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, *settings],
                stdout=file,
                stderr=file,
                cwd=folder,
                **as_owner,
            )
        try:
            assert wait_until(lambda: _answers(folder), 30, every=0.05), log.read_text()
            yield folder
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing is kept
            server.wait()
    finally:
        shutil.rmtree(folder)


def new_database(folder: Path, name: str) -> str:
    """Make an empty database and return its URL."""
    with psycopg.connect(host=str(folder), user=USER, dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"postgresql+psycopg://{USER}@/{name}?host={folder}"


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(folders, key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0), default=None)
    return None if newest is None else newest.parent


def _owner() -> pwd.struct_passwd | None:
    """Return who runs the server, None if that is who runs the tests."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _answers(folder: Path) -> bool:
    try:
        with psycopg.connect(host=str(folder), user=USER, dbname="postgres"):
            return True
    except psycopg.OperationalError:
        return False
