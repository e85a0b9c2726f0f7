"""The command line: help that ends with an example, clear errors, exit codes."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from openbell.cli import COMMANDS, app


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb", **environment})


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_ends_with_an_example(command: tuple[str, ...]) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.strip().splitlines()[-1].strip().startswith("Example: ")
    assert "openbell " + " ".join(command) in result.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("command", [["status"], ["topics"], ["job", "matching"]])
def test_what_needs_a_stack_says_how_to_get_one(command: list[str], tmp_path: Path) -> None:
    result = invoke(*command, OPENBELL_HOME=str(tmp_path))
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"openbell: no stack is up in {tmp_path}; run 'openbell up'\n"


def test_a_wrong_setting_is_a_usage_error(tmp_path: Path) -> None:
    result = invoke("up", OPENBELL_HOME=str(tmp_path), OPENBELL_PARTITIONS="many")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "openbell: OPENBELL_PARTITIONS is 'many'; write a whole number from 1 to 720\n"


@pytest.mark.parametrize(
    "command",
    [
        ["job"],
        ["job", "nonesuch"],
        ["job", "matching", "--stop", "-p", "2"],
        ["job", "matching", "--restore", "nowhere"],
        ["topics", "--partitions", "3"],
        ["up", "x"],
    ],
)
def test_wrong_usage_ends_with_2(command: list[str], tmp_path: Path) -> None:
    result = invoke(*command, OPENBELL_HOME=str(tmp_path))
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_down_without_a_stack_is_no_error(tmp_path: Path) -> None:
    assert invoke("down", OPENBELL_HOME=str(tmp_path)).exit_code == 0


def test_wiping_spares_what_the_stack_did_not_make(tmp_path: Path) -> None:
    mine, jar = tmp_path / "notes.txt", tmp_path / "jars" / "some.jar"
    jar.parent.mkdir()
    (tmp_path / "data").mkdir()
    for file in (mine, jar, tmp_path / "data" / "log"):
        file.touch()
    assert invoke("down", "--wipe", OPENBELL_HOME=str(tmp_path)).exit_code == 0
    assert mine.exists()
    assert jar.exists()
    assert not (tmp_path / "data").exists()


def test_doctor_finds_a_taken_port_and_a_mistyped_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = invoke("doctor", "--json", OPENBELL_HOME=str(tmp_path), OPENBELL_KAFKA_PORT=port, OPENBELL_VENEU="x")
    findings = {one["check"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 3
    assert list(findings) == [
        "settings",
        "python",
        "libpython",
        "java",
        "redis",
        "maven",
        "jars",
        "ports",
        "disk",
        "memory",
    ]
    assert not findings["settings"]["ok"]
    assert not findings["ports"]["ok"]
    assert findings["ports"]["found"] == f"taken: OPENBELL_KAFKA_PORT={port}"
    assert findings["python"]["ok"]


def test_doctor_says_how_to_get_redis(tmp_path: Path) -> None:
    environment = {"OPENBELL_HOME": str(tmp_path), "PATH": str(tmp_path)}
    findings = {one["check"]: one for one in json.loads(invoke("doctor", "--json", **environment).stdout)}
    assert findings["redis"] == {
        "check": "redis",
        "ok": False,
        "found": "redis-server is missing",
        "advice": "as root: apt-get install redis-server",
    }
    findings = {
        one["check"]: one for one in json.loads(invoke("doctor", "--json", OPENBELL_PAGE="off", **environment).stdout)
    }
    assert findings["redis"]["ok"]


def test_up_without_redis_starts_nothing(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    java = shutil.which("java")
    assert java is not None
    (programs / "java").symlink_to(java)
    result = invoke("up", OPENBELL_HOME=str(tmp_path), PATH=str(programs), JAVA_HOME="")
    assert result.exit_code == 3
    assert result.stderr == "openbell: redis-server is missing; as root: apt-get install redis-server\n"
    assert not (tmp_path / "run").exists()


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    result = invoke("up", OPENBELL_HOME=str(tmp_path), OPENBELL_GATEWAY_HOST="192.0.2.1")
    assert result.exit_code == 2
    assert "OPENBELL_GATEWAY_HOST is 192.0.2.1, which is no address of this machine" in result.stderr


def test_the_installed_command_is_quick_and_passes_on_exit_codes(tmp_path: Path) -> None:
    environment = {**os.environ, "OPENBELL_HOME": str(tmp_path)}
    begin = time.process_time()
    done = subprocess.run(
        [sys.executable, "-m", "openbell", "status", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert time.process_time() - begin < 2
    assert (done.returncode, done.stdout) == (3, "")
    assert "run 'openbell up'" in done.stderr


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, openbell.cli; print(sorted({'pyflink', 'kafka', 'pyarrow', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_too_few_task_managers_are_a_usage_error(tmp_path: Path) -> None:
    result = invoke("up", OPENBELL_HOME=str(tmp_path), OPENBELL_PARALLELISM="2", OPENBELL_TASK_MANAGERS="3")
    assert result.exit_code == 2
    assert "OPENBELL_TASK_MANAGERS is 3; write 8 or more: 4 jobs" in result.stderr
