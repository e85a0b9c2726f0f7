"""The files of a deployment as the tests read them: Kubernetes' manifests, docker-compose.yml and the Dockerfile."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s" / "flink-operator"
CRDS = ROOT.parent / "shared" / "k8s-crds"
KUSTOMIZATION = ("kustomization.yaml", "image-fields.yaml")
JOBS = ("accounts", "matching", "indicators", "signals")


@dataclass(frozen=True)
class Manifest:
    """One document of one file."""

    file: str
    document: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def pod(self) -> dict[str, Any] | None:
        """The template of the pods that this makes, if it makes any."""
        spec = self.document.get("spec", {})
        return spec.get("podTemplate") or spec.get("template")


def manifests() -> list[Manifest]:
    """All documents of the folder but kustomize's own."""
    return [
        Manifest(path.name, document)
        for path in sorted(FOLDER.glob("*.yaml"))
        if path.name not in KUSTOMIZATION
        for document in yaml.safe_load_all(path.read_text())
    ]


def flink_deployment(job: str) -> dict[str, Any]:
    """The FlinkDeployment of a job."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{job}.yaml").read_text())
    return document


def compose() -> dict[str, Any]:
    """docker-compose.yml, its anchors resolved and its variables as written."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Put variables into a text in compose's way: `${NAME:-otherwise}` and `${NAME:+instead}`."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"], "")
        if found["sign"] == "+":
            return found["word"] if given else ""
        return given or found["word"]

    return re.sub(r"\$\{(?P<name>\w+):(?P<sign>[-+])(?P<word>[^}]*)\}", value, text)


def words(service: dict[str, Any], part: str, variables: Mapping[str, str] = {}) -> list[str]:
    """A service's `command` or `entrypoint` as the list of words that it becomes."""
    written = service.get(part, [])
    if isinstance(written, str):
        return shlex.split(interpolated(written, variables))
    return [interpolated(word, variables) for word in written]


def flink_properties(service: dict[str, Any]) -> dict[str, str]:
    """A service's Flink settings: those in its environment, read as the image's entry point does, and those in its command."""
    environment = service["environment"]
    written = environment["FLINK_PROPERTIES"].replace(
        "$$JOB_MANAGER_RPC_ADDRESS", environment["JOB_MANAGER_RPC_ADDRESS"]
    )
    lines = written.splitlines()
    settings = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    command = words(service, "command")
    options = (command[place + 1] for place, word in enumerate(command) if word == "-D")
    return settings | {name: value for name, _, value in (option.partition("=") for option in options)}


def dockerfile() -> list[str]:
    """The Dockerfile's instructions, a line each."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield (where it stands, words) of every command in manifests and compose that runs a Python module of ours."""
    for manifest in manifests():
        for container in (manifest.pod() or {}).get("spec", {}).get("containers", ()):
            if container.get("command", [""])[0] == "python":
                yield str(manifest), [*container["command"], *container["args"]]
        if manifest.kind == "FlinkDeployment":
            yield str(manifest), as_module(manifest.document["spec"]["job"]["args"])
    for name, service in compose()["services"].items():
        entry, command = words(service, "entrypoint"), words(service, "command")
        if entry:
            yield f"compose {name}", [*entry, *command]
        elif "-pym" in command:
            yield f"compose {name}", as_module(command)


def as_module(arguments: list[str]) -> list[str]:
    """The arguments of Flink's Python driver, from -pym on, as Python would be given them."""
    return ["python", "-m", *arguments[arguments.index("-pym") + 1 :]]
