"""What the tables of a job say of how Kafka is reached; that Kafka and Flink take it so is shown by `tests/system/test_kafka_security.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flink_jobs.kafka_security import client_properties, connection, table_options
from wire.security import VARIABLES, InvalidSecurityError, KafkaSecurity

ROOT = Path(__file__).parents[2]
SECRET = "correct horse, ${battery} 'staple'; #=//é"
KAFKA = "org.apache.flink.kafka.shaded.org.apache.kafka.common"


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n", encoding="utf-8")
    return file


def test_a_table_is_what_it_was_where_nothing_is_said_of_security() -> None:
    assert table_options("k:9092", KafkaSecurity()) == "'properties.bootstrap.servers' = 'k:9092'"
    assert table_options("k:9092", KafkaSecurity(ca_file="/unused")) == "'properties.bootstrap.servers' = 'k:9092'"


def test_a_password_is_named_by_its_file_and_certificates_by_theirs(password_file: Path) -> None:
    security = KafkaSecurity("SASL_SSL", "SCRAM-SHA-256", "jobs", str(password_file), str(password_file))
    assert client_properties(security) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.jaas.config": f'{KAFKA}.security.scram.ScramLoginModule required username="jobs"'
        f' password="${{directory:{password_file.parent}:password}}\n;',
        "config.providers": "directory",
        "config.providers.directory.class": f"{KAFKA}.config.provider.DirectoryConfigProvider",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(password_file),
    }
    assert SECRET not in table_options("k:9092", security)


def test_without_a_password_there_is_no_login_and_without_certificates_of_ones_own_the_systems_count() -> None:
    assert client_properties(KafkaSecurity("SSL")) == {"security.protocol": "SSL"}


def test_quotes_in_names_end_neither_a_literal_of_sql_nor_the_logins_line(tmp_path: Path) -> None:
    folder = tmp_path / "o'neil"
    folder.mkdir()
    (folder / "password").write_text(SECRET, encoding="utf-8")
    security = KafkaSecurity("SASL_SSL", user="a\"b\\c${d}'e", password_file=str(folder / "password"))
    assert 'username="a\\"b\\\\c$\\{d}\'e"' in client_properties(security)["sasl.jaas.config"]
    options = table_options("k:9092", security)
    assert "d}''e" in options
    assert "o''neil:password}" in options
    assert options.replace("''", "").count("'") == 2 * 2 * len(client_properties(security) | {"bootstrap.servers": ""})


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ('a"b', "must not be empty nor have a double quote, a backslash or a line end in it"),
        ("a\\b", "must not be empty nor have a double quote, a backslash or a line end in it"),
        ("a\nb", "must not be empty nor have a double quote, a backslash or a line end in it"),
        ("\n", "must not be empty nor have a double quote, a backslash or a line end in it"),
    ],
)
def test_a_password_that_would_not_arrive_whole_is_refused_and_not_told(
    password: str, told: str, password_file: Path
) -> None:
    password_file.write_text(password)
    with pytest.raises(InvalidSecurityError, match=told) as caught:
        client_properties(KafkaSecurity("SASL_SSL", user="u", password_file=str(password_file)))
    assert str(password_file) in str(caught.value)
    assert password.strip() == "" or password not in str(caught.value)


def test_what_a_jobs_client_could_not_use_is_told_with_the_variable(
    password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(password_file.parent)
    colon = password_file.with_name("pass:word")
    colon.write_text(SECRET, encoding="utf-8")
    for fields, told in (
        ({"password_file": "password"}, "PASSWORD_FILE is password; for a job write the whole path"),
        ({"password_file": str(colon)}, "takes no path with ':' or '}'"),
        ({"password_file": "/nowhere/f"}, "PASSWORD_FILE is /nowhere/f, which cannot be read: No such file"),
        ({"user": "a\nb"}, "USER is 'a\\nb'; write a name that can be printed"),
        ({"ca_file": "password"}, "CA_FILE is password; for a job write the whole path"),
        ({"ca_file": "/nowhere/f"}, "CA_FILE is /nowhere/f, which cannot be read: No such file"),
    ):
        with pytest.raises(InvalidSecurityError) as caught:
            client_properties(
                KafkaSecurity(**{"protocol": "SASL_SSL", "user": "u", "password_file": str(password_file)} | fields)
            )
        assert told in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_the_environment_of_the_process_that_submits_a_job_counts(
    password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PROTOCOL", "SASL_PLAINTEXT"), ("USER", "jobs"), ("PASSWORD_FILE", str(password_file))):
        monkeypatch.setenv(f"OPENBELL_KAFKA_{name}", value)
    assert connection("k:9092") == table_options(
        "k:9092", KafkaSecurity("SASL_PLAINTEXT", user="jobs", password_file=str(password_file))
    )


def test_the_patch_of_the_documentation_mounts_what_its_variables_name() -> None:
    text = (ROOT / "docs" / "DEPLOY.md").read_text()
    (block,) = (one for one in text.split("```") if "OPENBELL_KAFKA_PASSWORD_FILE" in one and one.startswith("yaml"))
    (patch,) = yaml.safe_load(block.removeprefix("yaml"))["patches"]
    assert patch["target"] == {"kind": "FlinkDeployment"}
    added = {
        one["path"].removeprefix("/spec/podTemplate/spec/"): one["value"] for one in yaml.safe_load(patch["patch"])
    }
    for job in ("accounts", "matching", "indicators", "signals"):
        manifest = yaml.safe_load((ROOT / "k8s" / "flink-operator" / f"{job}.yaml").read_text())
        spec = manifest["spec"]["podTemplate"]["spec"]
        assert manifest["kind"] == patch["target"]["kind"]
        assert spec["volumes"], "added to"
        assert spec["containers"][0]["volumeMounts"], "added to"
        assert "env" not in spec["containers"][0], "else it would be replaced"
    variables = {one["name"]: one["value"] for one in added["containers/0/env"]}
    assert set(variables) <= set(VARIABLES)
    security = KafkaSecurity.read(variables)
    mount, volume = added["containers/0/volumeMounts/-"], added["volumes/-"]
    assert mount["name"] == volume["name"]
    assert {str(Path(file).parent) for file in (security.password_file, security.ca_file)} == {mount["mountPath"]}
    created = f"kubectl -n openbell create secret generic {volume['secret']['secretName']}"
    (command,) = (line for line in text.replace("\\\n", " ").splitlines() if line.startswith(created))
    for file in (security.password_file, security.ca_file):
        assert f"--from-file={Path(file).name}=" in command
