"""The deployments agree with the local stack, which the system tests run: every setting and version that differs is named here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from openbell.settings import Settings
from openbell.stack import flink, jars, kafka
from tests.deploy.files import FOLDER, JOBS, ROOT, compose, dockerfile, flink_deployment, flink_properties, manifests

OTHER_VALUE = {
    "python.executable": "the environment of the image",
    "python.client.executable": "the environment of the image",
    "execution.checkpointing.dir": "the volume that a job's pods share",
    "execution.checkpointing.savepoint-dir": "the volume that a job's pods share",
    "jobmanager.memory.process.size": "a container's bound holds for the Python beside the JVM, too",
    "taskmanager.memory.process.size": "a container's bound holds for the Python in the JVM, too",
}
ONLY_LOCAL = {
    "env.java.opts.jobmanager": "makes JVMs small and quick to start, for a stack on a developer's machine",
    "env.java.opts.taskmanager": "as above",
    "env.java.opts.client": "as above; here there is no client",
    "pekko.startup-timeout": "as above: all begin at once",
    "io.tmp.dirs": "a container has its own /tmp",
    "rest.address": "set by the operator, or by the image's entry point",
    "rest.bind-address": "as above",
    "rest.port": "as above",
    "rest.bind-port": "as above",
    "jobmanager.rpc.address": "as above",
    "jobmanager.rpc.port": "as above",
    "jobmanager.bind-host": "as above",
    "taskmanager.host": "as above",
    "taskmanager.bind-host": "as above",
}
COMPOSE_HAS = {"rest.address": "the container's name, for who looks it up in ZooKeeper"}
COMPOSE_HAS_NOT = {"env.java.opts.all": "it is in the image's own config.yaml, to which compose only adds"}
ONLY_DEPLOYED = {
    "jobmanager.memory.off-heap.size": "room for the Python that builds the job",
    "taskmanager.memory.task.off-heap.size": "room for the Python that runs it",
    "high-availability.type": "locally, `openbell up` starts a job from its last checkpoint",
    "high-availability.storageDir": "as above",
    "high-availability.cluster-id": "as above; the operator sets it by itself",
    "high-availability.zookeeper.quorum": "as above, where there is no Kubernetes",
    "high-availability.zookeeper.client.session-timeout": "as above",
}


def local() -> dict[str, str]:
    return {name: _text(value) for name, value in flink.configuration(Settings()).items()}


def on_kubernetes(job: str) -> dict[str, str]:
    """What the operator makes of a manifest."""
    spec = flink_deployment(job)["spec"]
    return spec["flinkConfiguration"] | {
        "jobmanager.memory.process.size": spec["jobManager"]["resource"]["memory"],
        "taskmanager.memory.process.size": spec["taskManager"]["resource"]["memory"],
        "parallelism.default": str(spec["job"]["parallelism"]),
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("where", ["kubernetes", "compose"])
def test_flink_is_set_up_as_the_local_stack_is(where: str, job: str):
    if where == "kubernetes":
        deployed, absent, other = on_kubernetes(job), set(ONLY_LOCAL), set(OTHER_VALUE)
    else:
        deployed = flink_properties(compose()["services"][job])
        absent = set(ONLY_LOCAL) - set(COMPOSE_HAS) | set(COMPOSE_HAS_NOT)
        other = set(OTHER_VALUE) | set(COMPOSE_HAS)
    assert set(local()) - set(deployed) == absent
    assert set(deployed) - set(local()) <= set(ONLY_DEPLOYED)
    assert {name for name in set(local()) & set(deployed) if local()[name] != deployed[name]} == other


@pytest.mark.parametrize("job", JOBS)
def test_both_deployments_set_the_same_values(job: str):
    services = compose()["services"]
    kubernetes, jobmanager = on_kubernetes(job), flink_properties(services[job])
    both = set(kubernetes) & set(jobmanager)
    other = {name for name in both if kubernetes[name] != jobmanager[name]}
    assert other == {"high-availability.type", "high-availability.storageDir"}
    task_manager = flink_properties(services[f"{job}-taskmanager"])
    assert task_manager.items() <= jobmanager.items()


@pytest.mark.parametrize("where", ["kubernetes", "compose"])
def test_kafka_is_set_up_as_the_local_broker_is(where: str):
    lines = kafka.properties(Settings()).splitlines()
    wanted = dict(line.split("=", 1) for line in lines)
    given = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in _broker(where).items()}
    places = {"controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"}
    if where == "compose":
        places.add("listener.security.protocol.map")  # one listener more, for programs on the machine itself
    for_a_small_machine = {"num.io.threads", "num.network.threads", "log.cleaner.dedupe.buffer.size"}
    assert set(wanted) - set(given) == for_a_small_machine
    assert {name for name in set(wanted) & set(given) if wanted[name] != given[name]} == places


def _broker(where: str) -> dict[str, str]:
    if where == "compose":
        environment: dict[str, str] = compose()["services"]["kafka"]["environment"]
        return environment
    (broker,) = (one for one in manifests() if one.kind == "StatefulSet")
    (container,) = broker.pod()["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def images() -> set[str]:
    """All images that manifests and compose name."""
    pods = [one.pod()["spec"]["containers"] for one in manifests() if one.pod()]
    on_pods = {container["image"] for containers in pods for container in containers if "image" in container}
    in_compose = {service["image"] for service in compose()["services"].values()}
    flink_images = {flink_deployment(job)["spec"]["image"] for job in JOBS}
    return on_pods | flink_images | {re.sub(r"\$\{\w+:-(.*)\}", r"\1", image) for image in in_compose}


def test_every_image_is_tagged_exactly_and_has_one_tag():
    stages = {line.split()[1] for line in dockerfile() if line.startswith("FROM ")}
    named = [image.rsplit(":", 1) for image in images() | stages]
    assert all(len(parts) == 2 and re.match(r"[0-9]+\.[0-9]+\.[0-9]+", parts[1]) for parts in named), named
    assert len({name for name, _ in named}) == len(named)


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return project


def _properties() -> dict[str, str]:
    """The versions in the pom.xml, without their namespace."""
    root = ET.fromstring(jars.POM.read_text())
    found = root.find("{*}properties")
    assert found is not None
    return {one.tag.rpartition("}")[2]: one.text or "" for one in found}


def test_versions_are_those_of_the_project():
    project = _project()["project"]
    (pin,) = (one for one in project["dependencies"] if one.startswith("apache-flink=="))
    version = pin.removeprefix("apache-flink==")
    named = images()
    assert f"openbell:{project['version']}" in named
    assert f"apache/kafka:{_properties()['kafka.version']}" in named
    assert any(line.startswith(f"FROM flink:{version}-") for line in dockerfile())
    for job in JOBS:
        spec = flink_deployment(job)["spec"]
        assert spec["flinkVersion"] == "v" + "_".join(version.split(".")[:2])
        assert spec["job"]["jarURI"].endswith(f"/flink-python-{version}.jar")
    texts = [path.read_text() for path in (*FOLDER.iterdir(), ROOT / "docker-compose.yml")]
    assert {found for text in texts for found in re.findall(r"flink-python-(.+?)\.jar", text)} == {version}
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert [one["newTag"] for one in kustomization["images"]] == [project["version"]]


def test_the_image_holds_every_package_and_gets_its_jars_by_the_same_pom():
    copied = {line.split()[1] for line in dockerfile() if line.startswith("COPY ") and "--from" not in line}
    packages = {name.rstrip("*") for name in _project()["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert {name for name in packages if (ROOT / name).exists()} <= copied
    assert "templates" in copied
    assert str(jars.POM.relative_to(ROOT)) in copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in (one for one in dockerfile() if one.startswith("COPY ") and "--from" not in one):
        for source in line.split()[1:-1]:
            assert (ROOT / source).exists(), line
            assert "!" + Path(source).parts[0] in ignored, line


def test_the_image_has_one_python_and_the_project_takes_it():
    text = (FOLDER / "Dockerfile").read_text()
    assert set(re.findall(r"python(3\.[0-9]+)", text)) == {"3.12"}
    assert _project()["project"]["requires-python"] == ">=3.11,<3.13"
    assert "--require-hashes --no-build-isolation -r /requirements/runtime.txt" in text
