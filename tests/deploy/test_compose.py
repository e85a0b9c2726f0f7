"""docker-compose.yml is what the compose specification allows, hangs together, and is safe to run on a machine of one's own."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.deploy.files import JOBS, compose, flink_deployment, flink_properties, interpolated, words

COMPOSE = compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"topics", "replay"}


def test_it_is_what_the_specification_allows():
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    assert [error.message for error in Draft7Validator(schema).iter_errors(COMPOSE)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_in_ways_that_they_have(name: str):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert other in ONE_SHOT
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_are_declared_and_used(name: str):
    used = [volume.split(":") for volume in SERVICES[name].get("volumes", ())]
    assert {volume for volume, _ in used} <= set(COMPOSE["volumes"])
    assert all(folder.startswith("/") for _, folder in used)


def test_every_volume_is_used():
    assert set(COMPOSE["volumes"]) == {
        volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded_restarted_and_may_do_little(name: str):
    service = SERVICES[name]
    assert re.fullmatch(r"[0-9]+[mg]", service["mem_limit"])
    assert service["restart"] == ("on-failure" if name in {*ONE_SHOT, *JOBS} else "unless-stopped")
    assert int(service["user"].split(":")[0]) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_to_this_machine_only(name: str):
    assert all(re.fullmatch(r"127\.0\.0\.1:[0-9]+:[0-9]+", port) for port in SERVICES[name].get("ports", ()))


def test_people_and_programs_come_in_at_two_places():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"gateway": ["127.0.0.1:8000:8000", "127.0.0.1:5000:5000"], "kafka": ["127.0.0.1:9094:9094"]}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_the_one_of_its_flink_deployment(job: str):
    command = words(SERVICES[job], "command")
    spec = flink_deployment(job)["spec"]["job"]
    assert command[:3] == ["standalone-job", "--job-classname", spec["entryClass"]]
    assert command[command.index("-pym") :] == spec["args"]
    assert f"parallelism.default={spec['parallelism']}" in command
    assert interpolated(SERVICES[f"{job}-taskmanager"]["deploy"]["replicas"], {}) == str(spec["parallelism"])


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_scaled_and_restored_by_variables(job: str):
    variables = {f"{job.upper()}_PARALLELISM": "3", f"{job.upper()}_SAVEPOINT": "file:///flink-data/savepoints/x"}
    command = words(SERVICES[job], "command", variables)
    assert command[3:5] == ["--fromSavepoint", "file:///flink-data/savepoints/x"]
    assert "parallelism.default=3" in command
    assert interpolated(SERVICES[f"{job}-taskmanager"]["deploy"]["replicas"], variables) == "3"


@pytest.mark.parametrize("job", JOBS)
def test_a_job_and_its_task_managers_find_each_other(job: str):
    both = [SERVICES[job], SERVICES[f"{job}-taskmanager"]]
    for service in both:
        assert service["environment"]["JOB_MANAGER_RPC_ADDRESS"] == job
        settings = flink_properties(service)
        assert settings["high-availability.cluster-id"] == f"/{job}"
        assert settings["execution.checkpointing.dir"] == f"file:///flink-data/checkpoints/{job}"
        assert "$" not in "".join(settings.values())
        assert "flink-data:/flink-data" in service["volumes"]


def test_the_notifier_is_given_secrets_and_a_mail_server_by_variables():
    service = SERVICES["notifier"]
    bare = words(service, "command")
    assert bare == [
        *("--bootstrap-servers", "kafka:9092", "--redis", "redis://redis:6379/0", "--venue", "replay", "--replay"),
    ]
    variables = {
        "WEBHOOK_KEY_FILE": "./webhook.key",
        "SMTP": "smtps://me@mail.example.org",
        "SMTP_PASSWORD_FILE": "./password",
        "MAIL_FROM": "alerts@example.org",
    }
    assert words(service, "command", variables)[len(bare) :] == [
        *("--webhook-key-file", "/run/secrets/webhook-key"),
        *("--smtp", "smtps://me@mail.example.org", "--mail-from", "alerts@example.org"),
        *("--smtp-password-file", "/run/secrets/smtp-password"),
    ]
    assert service["secrets"] == list(COMPOSE["secrets"]) == ["webhook-key", "smtp-password"]
    files = {name: secret["file"] for name, secret in COMPOSE["secrets"].items()}
    assert {name: interpolated(file, {}) for name, file in files.items()} == dict.fromkeys(files, "/dev/null")
    assert {name: interpolated(file, variables) for name, file in files.items()} == {
        "webhook-key": "./webhook.key",
        "smtp-password": "./password",
    }
