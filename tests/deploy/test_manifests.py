"""The manifests fit the operator's schemas, fit each other, and run what there is."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.deploy.files import CRDS, FOLDER, JOBS, KUSTOMIZATION, Manifest, commands, flink_deployment, manifests

ALL = manifests()
PODS = [one for one in ALL if one.pod()]
PART_OF = {"app.kubernetes.io/part-of": "openbell"}


def closed(schema: Any) -> Any:
    """A schema as the API server takes it: what an object does not declare is refused."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return made


@pytest.fixture(scope="module")
def operator_schema() -> Draft202012Validator:
    file = CRDS / "flinkdeployments.flink.apache.org-v1.yml"
    if not file.exists():
        pytest.skip("the operator's CRDs are not beside this repository, in ../shared/k8s-crds")
    definition = yaml.safe_load(file.read_text())["spec"]
    version = next(one for one in definition["versions"] if one["name"] == "v1beta1")
    schema = closed(version["schema"]["openAPIV3Schema"])
    # Every kind has these; no definition says so.
    schema["properties"] |= {"apiVersion": {"const": "flink.apache.org/v1beta1"}, "kind": {"const": "FlinkDeployment"}}
    schema["properties"]["metadata"] = {"type": "object"}
    return Draft202012Validator(schema)


@pytest.mark.parametrize("job", JOBS)
def test_a_flink_deployment_is_what_the_operator_takes(job: str, operator_schema: Draft202012Validator):
    assert [error.message for error in operator_schema.iter_errors(flink_deployment(job))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "job", "paralelism"), 2),
        (("spec", "job", "upgradeMode"), "restart"),
        (("spec", "flinkVersion"), "v2_9"),
        (("spec", "podTemplate", "spec", "volume"), []),
        (("spec", "taskManager", "resource", "cpu"), "one"),
    ],
)
def test_the_schema_finds_what_is_wrong(path: tuple[str, ...], value: object, operator_schema: Draft202012Validator):
    wrong = copy.deepcopy(flink_deployment("matching"))
    inner = wrong
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert len(list(operator_schema.iter_errors(wrong))) == 1


@pytest.mark.parametrize("job", JOBS)
def test_the_flink_deployments_differ_in_their_name_only(job: str):
    text = (FOLDER / f"{job}.yaml").read_text()
    assert text.replace(job, "matching") == (FOLDER / "matching.yaml").read_text()


def test_the_kustomization_lists_every_file_once():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    there = {path.name for path in FOLDER.glob("*.yaml")} - set(KUSTOMIZATION)
    assert len(kustomization["resources"]) == len(there)
    assert set(kustomization["resources"]) == there
    assert [one["name"] for one in kustomization["images"]] == ["openbell"]
    fields = yaml.safe_load((FOLDER / "image-fields.yaml").read_text())
    assert fields == {"images": [{"path": "spec/image", "kind": "FlinkDeployment"}]}


def test_nothing_stands_twice():
    names = [(one.kind, one.name) for one in ALL]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("manifest", ALL, ids=str)
def test_everything_is_in_the_namespace_and_labelled(manifest: Manifest):
    metadata = manifest.document["metadata"]
    assert metadata.get("namespace") == (None if manifest.kind == "Namespace" else "openbell")
    assert metadata["labels"].items() >= PART_OF.items()


@pytest.mark.parametrize("manifest", PODS, ids=str)
def test_pods_carry_the_labels_that_they_are_selected_by(manifest: Manifest):
    if manifest.kind == "FlinkDeployment":
        return  # the operator labels these
    labels = manifest.pod()["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": manifest.name} | PART_OF
    selected = manifest.document["spec"].get("selector", {}).get("matchLabels", {})
    assert selected.items() <= labels.items()


@pytest.mark.parametrize("manifest", [one for one in ALL if one.kind == "Service"], ids=str)
def test_a_service_has_pods_and_leads_to_a_port_of_theirs(manifest: Manifest):
    spec = manifest.document["spec"]
    pods = [one.pod() for one in PODS if one.kind != "FlinkDeployment"]
    (pod,) = [one for one in pods if spec["selector"].items() <= one["metadata"]["labels"].items()]
    ports = {
        port["name"]: port["containerPort"] for container in pod["spec"]["containers"] for port in container["ports"]
    }
    for port in spec["ports"]:
        target = port.get("targetPort", port["port"])
        assert target in {*ports, *ports.values()}


@pytest.mark.parametrize("manifest", PODS, ids=str)
def test_a_pod_may_do_little(manifest: Manifest):
    spec = manifest.pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
        claimed = {one["metadata"]["name"] for one in manifest.document["spec"].get("volumeClaimTemplates", ())}
        assert mounted == {volume["name"] for volume in spec.get("volumes", ())} | claimed
        if manifest.kind != "FlinkDeployment":
            assert spec["automountServiceAccountToken"] is False
            assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    volumes = spec.get("volumes", ())
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert claims <= {one.name for one in ALL if one.kind == "PersistentVolumeClaim"}
    assert all(volume["secret"]["optional"] for volume in volumes if "secret" in volume)  # none comes along


def test_the_notifier_finds_its_secrets_where_they_are_mounted():
    (notifier,) = (one for one in ALL if one.name == "notifier")
    spec = notifier.pod()["spec"]
    (container,) = spec["containers"]
    (mount,) = container["volumeMounts"]
    told = (FOLDER / "notifier.yaml").read_text().split("apiVersion", maxsplit=1)[0]
    named = re.findall(r"(--[a-z-]+-file), (\S+)/([a-z-]+)", told)
    assert named == [
        ("--webhook-key-file", mount["mountPath"], "webhook-key"),
        ("--smtp-password-file", mount["mountPath"], "smtp-password"),
    ]
    assert spec["volumes"] == [{"name": mount["name"], "secret": {"secretName": "notifier", "optional": True}}]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_as_an_account_that_may_have_task_managers(job: str):
    account = flink_deployment(job)["spec"]["serviceAccount"]
    kinds = {one.kind: one.document for one in ALL if one.name == account}
    assert {"ServiceAccount", "Role", "RoleBinding"} <= set(kinds)
    assert kinds["RoleBinding"]["roleRef"]["name"] == account
    assert kinds["RoleBinding"]["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "openbell"}]
    may = {resource for rule in kinds["Role"]["rules"] for resource in rule["resources"]}
    assert {"pods", "configmaps", "deployments"} <= may


def test_servers_are_named_as_their_services_are():
    ports = {(one.name, port["port"]) for one in ALL if one.kind == "Service" for port in one.document["spec"]["ports"]}
    named = {(host, int(port)) for _, command in commands() for word in command for host, port in _addresses(word)}
    assert named == {("kafka", 9092), ("redis", 6379)}
    assert named <= ports


def _addresses(word: str) -> list[tuple[str, str]]:
    return re.findall(r"(?:^|//)([a-z]+):([0-9]+)", word)


@pytest.mark.parametrize(("where", "command"), list(commands()), ids=[where for where, _ in commands()])
def test_what_is_run_is_there_and_takes_these_options(where: str, command: list[str]):
    module = command[: 4 if command[2] == "openbell" else 3]
    done = subprocess.run(
        [sys.executable, *module[1:], "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{where}: {done.stderr}"
    given = {word for word in command if word.startswith("--")}
    known = set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    assert given <= known, where


def test_all_speak_of_the_same_venue():
    for option, expected in {"--venue": {"replay"}, "--account-shards": {"16"}, "--partitions": {"4"}}.items():
        given = {command[command.index(option) + 1] for _, command in commands() if option in command}
        assert given == expected
