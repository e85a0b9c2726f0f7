"""The supervisor keeps services running and leaves nothing behind, shown with plain small processes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openbell.home import Home, read_json
from openbell.supervise import daemon
from openbell.supervise.processes import alive, marked, wait_until
from openbell.supervise.service import Service

SOON = 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.make()
    yield home
    daemon.stop(home, SOON)
    assert marked(str(home.path)) == []


def shell(name: str, script: str, **more: Any) -> Service:
    return Service(name=name, command=["bash", "-c", script], **more)


def eventually(condition: Any) -> None:
    assert wait_until(condition, SOON)


def pid(home: Home, name: str) -> int | None:
    found: int | None = read_json(home.state)["services"][name]["pid"]
    return found


def kill(process: int | None) -> None:
    assert process is not None
    os.kill(process, signal.SIGKILL)


def written_pid(file: Path) -> int:
    eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def test_a_killed_service_is_started_again_after_its_whole_group_is_killed(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "grandchild"
    daemon.start(home, {}, [shell("one", f"sleep 1000 & echo $! > {file}; wait"), shell("two", "exec sleep 1000")])
    grandchild, first, other = written_pid(file), pid(home, "one"), pid(home, "two")
    kill(first)
    eventually(lambda: not alive(grandchild))
    eventually(lambda: pid(home, "one") not in {None, first})
    assert read_json(home.state)["services"]["one"]["restarts"] == 1
    assert read_json(home.state)["services"]["two"] == {"pid": other, "restarts": 0}


def test_nothing_outlives_a_killed_supervisor(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere"
    daemon.start(home, {}, [shell("one", f"sleep 1000 & setsid bash -c 'echo $$ > {file}; exec sleep 1000' & wait")])
    grandchild = written_pid(file)
    assert grandchild in marked(str(home.path))
    kill(read_json(home.state)["supervisor"])
    eventually(lambda: marked(str(home.path)) == [])
    assert not alive(grandchild)
    assert not home.supervised()


def test_a_killed_guard_is_replaced(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere"
    daemon.start(home, {}, [shell("one", f"setsid bash -c 'echo $$ > {file}; exec sleep 1000' & exec sleep 1000")])
    grandchild = written_pid(file)
    supervisor = read_json(home.state)["supervisor"]
    guard = guards(supervisor)[0]
    kill(guard)
    eventually(lambda: guards(supervisor) not in ([], [guard]))
    kill(supervisor)
    eventually(lambda: not alive(grandchild))


def guards(supervisor: int) -> list[int]:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(child) for child in children if b"supervise.guard" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_services_are_stopped_last_started_first(home: Home, tmp_path: Path) -> None:
    order = tmp_path / "order"
    names = ["one", "two", "three"]
    services = [
        shell(name, f"trap 'echo {name} >> {order}; exit' TERM; touch {tmp_path}/{name}; sleep 1000 & wait")
        for name in names
    ]
    daemon.start(home, {}, services)
    eventually(lambda: all((tmp_path / name).exists() for name in names))
    daemon.stop(home, SOON)
    assert order.read_text().split() == ["three", "two", "one"]
    assert not home.supervised()
    assert not home.state.exists()


def test_a_service_that_does_not_stop_is_killed(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    daemon.start(home, {}, [shell("deaf", f"trap '' TERM; echo $$ > {file}; while :; do sleep 1000; done", stop_s=0.3)])
    deaf = written_pid(file)
    daemon.stop(home, SOON)
    assert not alive(deaf)


def test_a_service_that_cannot_run_is_tried_again_and_harms_no_other(home: Home) -> None:
    daemon.start(home, {}, [shell("broken", "exit 7"), shell("well", "exec sleep 1000")])
    well = pid(home, "well")
    eventually(lambda: read_json(home.state)["services"]["broken"]["restarts"] >= 2)
    assert pid(home, "well") == well
    assert "broken ended with 7" in (home.logs / "supervisor.log").read_text()


def test_a_second_supervisor_leaves_the_first_alone(home: Home) -> None:
    daemon.start(home, {}, [shell("one", "exec sleep 1000")])
    first = read_json(home.state)
    daemon.spawn(home)
    eventually(lambda: "another supervisor has this home" in (home.logs / "supervisor.log").read_text())
    assert read_json(home.state) == first


def test_stopping_a_home_that_is_not_up_is_no_error(home: Home) -> None:
    daemon.stop(home, SOON)
