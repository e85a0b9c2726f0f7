"""A Flink session cluster: one JobManager and some TaskManagers of one slot each, run in the foreground from the apache-flink package.

Three things are not Flink's defaults and matter:
- `FLINK_LIB_DIR` is a folder of links to the package's own jars plus flink-python and the Kafka connector. In thread mode they must be on
  the cluster's own class path: shipped with a job, the second job in a TaskManager would fail to load the Python library again.
- `PYTHONPATH` names the environment's site-packages and this project, since Python inside the JVM reads no .pth file.
- A TaskManager's resource id is its service's name, so that one started anew takes the dead one's place at once.
"""

import importlib.metadata
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

import openbell
from openbell.errors import NotReadyError
from openbell.home import Home
from openbell.settings import Settings
from openbell.stack.log4j import LOG4J, LOG_FILE
from openbell.supervise.service import Service

FOR_EVER = 2_147_483_647
_SMALL_JVM = "-XX:+UseSerialGC"
_QUICK_START = "-XX:TieredStopAtLevel=1"
"""For programs that are no hot path: compile once and fast."""


def distribution() -> Path:
    """The `pyflink` folder of the installed package. It is found without importing it, which takes seconds."""
    return Path(str(importlib.metadata.distribution("apache-flink").locate_file("pyflink")))


def python_path() -> str:
    """What Python inside a TaskManager must be told: site-packages, and the folder that holds this project's packages."""
    folders = [sysconfig.get_paths()["purelib"], str(Path(openbell.__file__).parent.parent)]
    return os.pathsep.join(dict.fromkeys(folders))


def need_shared_python() -> str:
    """The path of Python's shared library, which thread mode loads into the JVM. Raises NotReadyError where there is none."""
    from find_libpython import find_libpython

    found: str | None = find_libpython()
    if found is None:
        package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        raise NotReadyError(f"Python's shared library is missing; as root: apt-get install {package}")
    return found


def configuration(settings: Settings) -> dict[str, Any]:
    """What goes into Flink's config.yaml."""
    home = Home(settings.home)
    return {
        "env.java.opts.all": " ".join(_module_options()),
        "env.java.opts.jobmanager": f"{_SMALL_JVM} {_QUICK_START}",
        "env.java.opts.taskmanager": _SMALL_JVM,
        "env.java.opts.client": f"{_SMALL_JVM} {_QUICK_START} -Xmx768m",
        "io.tmp.dirs": str(home.temporary),
        # Only this machine may talk to the cluster: Flink's REST API has no login.
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": settings.flink_rest_port,
        "rest.bind-port": str(settings.flink_rest_port),
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": settings.flink_rpc_port,
        "jobmanager.bind-host": "127.0.0.1",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "web.submit.enable": False,
        "pekko.startup-timeout": "2 min",  # all JVMs begin at once; after Flink's own 10 s each would give up and begin again
        # Memory: the whole stack idles below 3 GB.
        "jobmanager.memory.process.size": f"{settings.jobmanager_mb}m",
        "jobmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.process.size": f"{settings.taskmanager_mb}m",
        "taskmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.managed.size": "32m",
        "taskmanager.memory.network.min": "64m",
        "taskmanager.memory.network.max": "64m",
        "taskmanager.numberOfTaskSlots": 1,
        "taskmanager.network.memory.buffer-debloat.enabled": True,
        # Python
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "python.execution-mode": "thread",
        # State
        "state.backend.type": "hashmap",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": (home.data / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (home.data / "savepoints").as_uri(),
        "execution.checkpointing.interval": f"{settings.checkpoint_ms} ms",
        "execution.checkpointing.min-pause": f"{settings.checkpoint_ms // 4} ms",
        "execution.checkpointing.timeout": "2 min",
        "execution.checkpointing.num-retained": 2,
        "execution.checkpointing.tolerable-failed-checkpoints": 1_000,
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "parallelism.default": settings.parallelism,
        "pipeline.max-parallelism": 720,
        # Failures: noticed in about a second, and never given up on.
        "heartbeat.interval": "1 s",
        "heartbeat.timeout": "8 s",
        "heartbeat.rpc-failure-threshold": 2,
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": FOR_EVER,
        "restart-strategy.fixed-delay.delay": "500 ms",
        "jobmanager.execution.failover-strategy": "region",
    }


def environment(settings: Settings, name: str) -> dict[str, str]:
    """What Flink's scripts need in their environment; `name` names the log file."""
    home = Home(settings.home)
    return {
        "FLINK_CONF_DIR": str(home.config / "flink"),
        "FLINK_LIB_DIR": str(home.config / "flink-lib"),
        "FLINK_LOG_DIR": str(home.logs),
        "FLINK_PID_DIR": str(home.temporary),
        LOG_FILE: str(home.logs / f"{name}.log"),
        "PYTHONPATH": python_path(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "2",
    }


def prepare(settings: Settings) -> list[Service]:
    """Write the cluster's configuration and return its services, the JobManager first."""
    home = Home(settings.home)
    folder = home.config / "flink"
    folder.mkdir(parents=True, exist_ok=True)
    values = configuration(settings)
    (folder / "config.yaml").write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))
    for log_settings in ("log4j-console.properties", "log4j-cli.properties"):
        (folder / log_settings).write_text(LOG4J)
    _link_jars(settings, home.config / "flink-lib")
    scripts = distribution() / "bin"
    job_manager = Service(
        name="jobmanager",
        command=["bash", str(scripts / "jobmanager.sh"), "start-foreground"],
        environment=environment(settings, "jobmanager"),
    )
    task_managers = [
        Service(
            name=name,
            command=[
                "bash",
                str(scripts / "taskmanager.sh"),
                "start-foreground",
                "-D",
                f"taskmanager.resource-id={name}",
            ],
            environment=environment(settings, name),
        )
        for name in task_manager_names(settings)
    ]
    return [job_manager, *task_managers]


def task_manager_names(settings: Settings) -> list[str]:
    """The names of the TaskManager services, which are their resource ids, too."""
    return [f"taskmanager-{number}" for number in range(1, settings.task_managers + 1)]


def _link_jars(settings: Settings, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    flink = distribution()
    for jar in [
        *flink.glob("lib/*.jar"),
        *flink.glob("opt/flink-python-*.jar"),
        *(settings.jars / "flink").glob("*.jar"),
    ]:
        (folder / jar.name).symlink_to(jar)


def _module_options() -> list[str]:
    """The module options of the package's own configuration, without which Flink does not run on Java 17."""
    text = (distribution() / "conf" / "config.yaml").read_text()
    return [word for word in text.split() if word.startswith(("--add-exports=", "--add-opens="))]
