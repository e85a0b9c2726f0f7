"""Runs FlinkDeployments on this machine as the operator would on a cluster: a JobManager in application mode and its TaskManagers.

What is run is what the manifest says. Only what must differ on one machine is replaced, and all of that is in this module: where
servers are, which folder the shared volume is, whose Python runs, JVMs that start quickly, and ZooKeeper in the place of Kubernetes as
the one who remembers leaders and checkpoints (as docker-compose.yml has it).
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from openbell.errors import OpenbellError
from openbell.home import Home
from openbell.settings import Settings
from openbell.stack import flink, kafka, ports
from openbell.stack.jobs import Jobs, JobStatus
from openbell.stack.log4j import LOG4J
from openbell.stack.rest import FlinkRest
from openbell.supervise.processes import MARK, kill_group, resident_mb, wait_until
from openbell.supervise.service import Service
from tests.deploy.files import JOBS, flink_deployment

END_S = 60
PLACES = (
    "io.tmp.dirs",
    "jobmanager.bind-host",
    "jobmanager.rpc.address",
    "python.client.executable",
    "python.executable",
    "rest.",
    "taskmanager.bind-host",
    "taskmanager.host",
)
"""What begins so is taken from the local stack's configuration."""


class Machine:
    """A machine in the cluster's place: processes by name, each in a group of its own."""

    def __init__(self, folder: Path, jars: Path) -> None:
        start = ports._start(folder)
        around = ((start + step - ports.FIRST) % ports.COUNT + ports.FIRST for step in range(ports.COUNT))
        broker, controller, self.zookeeper_port, *self.rest_ports = islice(filter(ports.is_free, around), 3 + len(JOBS))
        self.settings = Settings(home=folder, jars=jars, kafka_port=broker, kafka_controller_port=controller)
        self.home = Home(folder)
        self.home.make()
        flink._link_jars(self.settings, self.home.config / "flink-lib")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def servers(self) -> str:
        """Kafka's address."""
        return f"127.0.0.1:{self.settings.kafka_port}"

    def run(self, service: Service) -> None:
        """Start a process; its output is in the home's folder of logs."""
        with (self.home.logs / f"{service.name}.out").open("ab") as log:
            self.processes[service.name] = subprocess.Popen(
                service.command,
                env={**os.environ, **service.environment, MARK: str(self.home.path)},
                cwd=self.home.temporary,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run_servers(self) -> None:
        """Start Kafka and ZooKeeper."""
        self.run(kafka.prepare(self.settings))
        lines = {
            "dataDir": self.home.data / "zookeeper",
            "clientPort": self.zookeeper_port,
            "clientPortAddress": "127.0.0.1",
            "tickTime": 500,
            "admin.enableServer": "false",
        }
        zoo = self.configure("zookeeper", {}) / "zoo.cfg"
        zoo.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self.run_flink("zookeeper", "zookeeper", "zookeeper.sh", ["start-foreground", "1"])

    def run_flink(self, owner: str, name: str, script: str, arguments: list[str]) -> None:
        """Start one of Flink's scripts with the configuration of its owner."""
        command = ["bash", str(flink.distribution() / "bin" / script), *arguments]
        environment = flink.environment(self.settings, name) | {"FLINK_CONF_DIR": str(self.home.config / owner)}
        self.run(Service(name=name, command=command, environment=environment))

    def configure(self, owner: str, values: dict[str, Any]) -> Path:
        """Write the configuration of a Flink cluster, and return its folder."""
        folder = self.home.config / owner
        folder.mkdir(parents=True, exist_ok=True)
        lines = (f"{name}: {json.dumps(value)}\n" for name, value in values.items())
        (folder / "config.yaml").write_text("".join(lines))
        (folder / "log4j-console.properties").write_text(LOG4J)
        return folder

    def kill(self, name: str) -> None:
        """End a process and all that it started, at once."""
        process = self.processes.pop(name)
        kill_group(process.pid)
        process.wait(END_S)

    def end(self) -> None:
        """Kill whatever still runs."""
        for name in list(self.processes):
            self.kill(name)


class Application:
    """A FlinkDeployment on this machine."""

    def __init__(self, machine: Machine, job: str, rest_port: int) -> None:
        self.machine = machine
        self.job = job
        self.spec = flink_deployment(job)["spec"]
        self.rest_port = rest_port
        self.rest = FlinkRest(f"http://127.0.0.1:{rest_port}")
        self.parallelism = 0

    def argument(self, option: str) -> str:
        """The value of one of the job's own options."""
        arguments: list[str] = self.spec["job"]["args"]
        return arguments[arguments.index(option) + 1]

    def configuration(self, parallelism: int) -> dict[str, Any]:
        """The manifest's configuration, what the operator adds to it, and last what is this machine's."""
        volume = self.machine.home.data.as_uri()
        written = {
            name: value.replace("file:///flink-data", volume) for name, value in self.spec["flinkConfiguration"].items()
        }
        by_the_operator = {
            "jobmanager.memory.process.size": self.spec["jobManager"]["resource"]["memory"],
            "taskmanager.memory.process.size": self.spec["taskManager"]["resource"]["memory"],
            "parallelism.default": parallelism,
        }
        asked = flink.configuration(replace(self.machine.settings, flink_rest_port=self.rest_port))
        of_this_machine = {name: value for name, value in asked.items() if name.startswith(PLACES)} | {
            "env.java.opts.jobmanager": asked["env.java.opts.jobmanager"],
            "env.java.opts.taskmanager": asked["env.java.opts.jobmanager"],
            "high-availability.type": "zookeeper",
            "high-availability.zookeeper.quorum": f"127.0.0.1:{self.machine.zookeeper_port}",
            "high-availability.zookeeper.client.session-timeout": "6 s",
            "high-availability.cluster-id": f"/{self.job}",
        }
        return written | by_the_operator | of_this_machine

    def start(self, *, parallelism: int | None = None, savepoint: str | None = None) -> None:
        """Start the application, at the manifest's parallelism unless another is given."""
        self.parallelism = parallelism or self.spec["job"]["parallelism"]
        self.machine.configure(self.job, self.configuration(self.parallelism))
        self.start_job_manager(savepoint)
        for number in range(1, self.parallelism + 1):
            self.machine.run_flink(self.job, f"{self.job}-taskmanager-{number}", "taskmanager.sh", ["start-foreground"])

    def start_job_manager(self, savepoint: str | None = None) -> None:
        """Start the JobManager, which is the job."""
        job = self.spec["job"]
        arguments = [word.replace("kafka:9092", self.machine.servers) for word in job["args"]]
        restored = ["--fromSavepoint", savepoint] if savepoint else []
        command = ["start-foreground", "--job-classname", job["entryClass"], *restored, *arguments]
        self.machine.run_flink(self.job, self.job, "standalone-job.sh", command)

    def wait_running(self, seconds: float) -> JobStatus:
        """Wait until all tasks run, at the parallelism asked for."""
        settings = replace(self.machine.settings, flink_rest_port=self.rest_port, venue=self.argument("--venue"))
        jobs = Jobs(settings)
        status = JobStatus(name=self.job, state="ABSENT")

        def running() -> bool:
            nonlocal status
            assert self.machine.processes[self.job].poll() is None, f"JobManager of {self.job} ended: {self.logs()}"
            try:
                status = jobs.status(self.job)
            except OpenbellError:
                return False
            return status.state == "RUNNING"

        assert wait_until(running, seconds, every=0.3), f"{self.job} is {status.state}: {self.logs()}"
        assert status.parallelism == len(status.task_managers) == self.parallelism
        return status

    def wait_checkpoint(self, seconds: float) -> None:
        """Wait until a checkpoint is complete."""
        path = f"/jobs/{self._job_id()}/checkpoints"
        assert wait_until(lambda: self.rest.get(path)["counts"]["completed"] > 0, seconds, every=0.2)

    def restored_from(self) -> str:
        """The savepoint or checkpoint that the job went on from."""
        latest = self.rest.get(f"/jobs/{self._job_id()}/checkpoints")["latest"]["restored"]
        return str(latest["external_path"]) if latest else ""

    def stop(self, seconds: float) -> str:
        """Stop the job with a savepoint, as the operator does before an upgrade, and return its place. The JobManager ends by itself."""
        job_id = self._job_id()
        asked = self.rest.post(f"/jobs/{job_id}/stop", {"drain": False})
        answer: dict[str, Any] = {}

        def completed() -> bool:
            nonlocal answer
            answer = self.rest.get(f"/jobs/{job_id}/savepoints/{asked['request-id']}")
            return bool(answer["status"]["id"] == "COMPLETED")

        assert wait_until(completed, seconds, every=0.1), f"{self.job} does not stop: {self.logs()}"
        place = str(answer["operation"]["location"])
        assert (Path(unquote(urlparse(place).path)) / "_metadata").exists()
        assert self.machine.processes.pop(self.job).wait(seconds) == 0, self.logs()
        for number in range(1, self.parallelism + 1):
            self.machine.kill(f"{self.job}-taskmanager-{number}")
        return place

    def memory_mb(self) -> dict[str, tuple[float, float]]:
        """Each pod's resident memory and its bound, in megabytes."""
        bound = {
            kind: float(self.spec[kind]["resource"]["memory"].removesuffix("m"))
            for kind in ("jobManager", "taskManager")
        }
        return {
            name: (resident_mb(process.pid), bound["jobManager" if name == self.job else "taskManager"])
            for name, process in self.machine.processes.items()
            if name.startswith(self.job)
        }

    def logs(self) -> str:
        """The end of the JobManager's log."""
        path = self.machine.home.logs / f"{self.job}.log"
        return path.read_text()[-3_000:] if path.exists() else (path.with_suffix(".out")).read_text()[-3_000:]

    def _job_id(self) -> str:
        (job,) = self.rest.jobs()
        return str(job["jid"])
