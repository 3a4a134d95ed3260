from __future__ import annotations

import json
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from glacier_purge.api.values import access, purge_settings, replica_bucket
from glacier_purge.archive import EXACT
from glacier_purge.aws.access import Access
from glacier_purge.cli import main
from glacier_purge.cli.options import option_of_setting
from glacier_purge.errors import ConfigurationFailed, UsageError
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.settings import Settings, load_settings
from glacier_purge.settings.layers import RENAMED, profile_names

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def every_setting_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLACIER_PURGE_REPORT__PAGE")


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "photos.toml"
    file.write_text(text, "utf-8")
    return file


def test_each_layer_wins_over_those_below_it_value_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile sets all four; the file, the environment and the arguments one more each."""
    file = write(tmp_path, "[pace]\nfirst_per_second = 3\nmax_rate = 30\nmax_in_flight = 13\n")
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_RATE", "40")
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_IN_FLIGHT", "14")
    pace = load_settings(file=file, profile="gentle", arguments={"pace": {"max_in_flight": 15}}).pace
    assert pace.model_dump(exclude={"windows"}) == {
        "leave_share": 0.5,
        "first_per_second": 3,
        "max_rate": 40,
        "max_in_flight": 15,
    }


def test_profile_and_file_can_be_chosen_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLACIER_PURGE_PROFILE", "gentle")
    monkeypatch.setenv("GLACIER_PURGE_CONFIG", str(write(tmp_path, "[pace]\nmax_in_flight = 3\n")))
    settings = load_settings()
    assert (settings.pace.leave_share, settings.pace.max_in_flight) == (0.5, 3)
    assert load_settings(profile="standard").pace.leave_share == 0


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_REGION": "us-east-1", "GLACIER_PURGE_AWS__REGION": "sa-east-1"}, "sa-east-1"),
        ({"AWS_REGION": ""}, None),
    ],
)
def test_the_region_is_where_aws_users_put_it(
    environment: dict[str, str], region: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().aws.region == region


def test_the_endpoint_of_the_aws_variables_is_taken_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLACIER", "http://127.0.0.1:5000/")
    assert load_settings().aws.endpoint_url == "http://127.0.0.1:5000"
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLACIER", "http://169.254.169.254")
    with pytest.raises(UsageError, match=r"^AWS_ENDPOINT_URL_GLACIER: .* is refused: deletes go only to"):
        load_settings()


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION", "GLACIER_PURGE_AWS__REGION"])
def test_a_region_without_vaults_is_told_by_where_it_stands(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "eu-nowhere-9")
    with pytest.raises(UsageError, match=f"^{variable}: Amazon Glacier has no vaults in region 'eu-nowhere-9'"):
        load_settings()


def test_a_region_without_vaults_is_refused_except_on_loopback() -> None:
    with pytest.raises(UsageError, match="no vaults in region"):
        Settings(aws={"region": "eu-nowhere-9"})  # type: ignore[arg-type]  # pydantic makes the section of it
    loopback = {"region": "eu-nowhere-9", "endpoint_url": "http://localhost:1"}
    assert Settings(aws=loopback).aws.region == "eu-nowhere-9"  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pcae]\nmax_rate = 1\n", "photos.toml: pcae is not a setting. Did you mean pace?"),
        (
            "[pace]\nmax_raet = 1\n",
            "photos.toml: pace.max_raet is not a setting. Did you mean max_rate?",
        ),
        (
            "[report]\nzzz = 1\n",
            "report.zzz is not a setting. There are: live_page, metrics_textfile, page, progress_seconds, "  # noqa: ISC004
            "waiting_long_seconds.",
        ),
        (
            '[pace]\nprocesses = "auto"\n',
            "photos.toml: pace.processes is not a setting. It was one of an earlier version; take it out.",
        ),
        ("[inventory]\njob_queue = 'https://x'\n", "inventory.job_queue is not a setting. It was one of an earlier"),
        ("pace = 3\n", "photos.toml: pace is 3: it has to be a valid dictionary"),
        (
            "[pace]\nmax_in_flight = 0\n",
            "photos.toml: pace.max_in_flight is 0: it has to be greater than or equal to 1",
        ),
        ("[pace]\nmax_rate = inf\n", "pace.max_rate is inf: it has to be a finite number"),
        ("[pace]\nmax_rate = 'all'\n", "pace.max_rate is 'all': it has to be a valid number"),
        ("[aws]\naccount_id = 123456789012\n", "aws.account_id is 123456789012: it has to be a valid string"),
        ("[pace\n", "photos.toml: it is not TOML: Expected ']' at the end of a table declaration (at line 1"),
        ("[aws]\nprofile = 'x'\nprofile = 'y'\n", "photos.toml: it is not TOML: Cannot overwrite a value"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_setting(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationFailed) as refused:
        load_settings(file=write(tmp_path, text))
    assert message in str(refused.value)
    assert refused.value.exit_code == 253


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFailed) as refused:
        load_settings(file=write(tmp_path, "[pace]\nmax_in_flight = 0\nleave_share = 2\n"))
    assert [line.partition(" is ")[0].rpartition(": ")[2] for line in str(refused.value).splitlines()] == [
        "pace.max_in_flight",
        "pace.leave_share",
    ]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFailed, match="No such file"):
        load_settings(file=tmp_path / "missing.toml")
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationFailed, match="it is text in UTF-16"):
        load_settings(file=file)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GLACIER_PURGE_TYPO", "1", "GLACIER_PURGE_TYPO is not a setting"),
        ("GLACIER_PURGE_PAEC__LEAVE_SHARE", "1", "Did you mean GLACIER_PURGE_PACE__LEAVE_SHARE?"),
        ("GLACIER_PURGE_PACE__LEAVE_SHAER", "1", "Did you mean GLACIER_PURGE_PACE__LEAVE_SHARE?"),
        ("GLACIER_PURGE_PACE__PROCESSES", "2", "PROCESSES is not a setting. It was one of an earlier version; take"),
        ("GLACIER_PURGE_PROFLE", "gentle", "Did you mean GLACIER_PURGE_PROFILE?"),
        ("GLACIER_PURGE_PACE__LEAVE_SHARE", "2", "GLACIER_PURGE_PACE__LEAVE_SHARE is '2': it has to be less than"),
        ("GLACIER_PURGE_PACE", "{", 'field "pace"'),
        ("GLACIER_PURGE_SAFETY", '{"max_bytes": 5, "max_bytes": 500}', "a setting stands in it twice"),
        ("GLACIER_PURGE_PACE", '{"leave_shaer": 1}', "PACE: leave_shaer is not a setting. Did you mean leave_share?"),
        (
            "GLACIER_PURGE_PROFILE",
            "gentel",
            "there is no settings profile 'gentel'; there are benchmark, gentle, standard.",
        ),
        ("GLACIER_PURGE_PROFILE", "../gentle", "there is no settings profile"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationFailed) as refused:
        load_settings()
    assert message in str(refused.value)


def test_a_wrong_argument_is_wrong_usage_not_wrong_configuration() -> None:
    with pytest.raises(UsageError, match=r"pace\.max_rate is -1: it has to be greater than 0"):
        load_settings(arguments={"pace": {"max_rate": -1}})


@pytest.mark.parametrize(("was", "now"), sorted((".".join(was), f"{was[0]}.{now}") for was, now in RENAMED.items()))
def test_a_setting_is_read_by_the_name_it_had(
    was: str, now: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a file, in a variable of its own and in its section's; config show says so and nothing else does."""
    value = {"pace.max_rate": 40, "aws.verify_ssl": True}[now]
    section, _, name = was.partition(".")
    file = write(tmp_path, f"[{section}]\n{name} = {json.dumps(value)}\n")
    variable = f"GLACIER_PURGE_{section}__{name}".upper()
    assert load_settings(file=file).model_dump()[section][now.partition(".")[2]] == value
    assert capsys.readouterr() == ("", "")
    for given, place in (
        ({}, f"{file}: {was}"),
        ({variable: json.dumps(value)}, variable),
        ({f"GLACIER_PURGE_{section.upper()}": json.dumps({name: value})}, f"GLACIER_PURGE_{section.upper()}: {name}"),
    ):
        with monkeypatch.context() as context:
            for one, text in given.items():
                context.setenv(one, text)
            assert main(["config", "show", "--output", "json", *(["--config", str(file)] if not given else [])]) == 0
        shown = capsys.readouterr()
        assert json.loads(shown.out)[section][now.partition(".")[2]] == value
        assert f"{place} is called {now} now." in shown.err


def test_the_later_layer_wins_by_whichever_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "[pace]\nmax_rate = 30\n")
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_PER_SECOND", "40")
    assert load_settings(file=file, profile="gentle").pace.max_rate == 40
    assert load_settings(file=file, arguments={"pace": {"max_rate": 50}}).pace.max_rate == 50


def test_a_fault_is_told_by_the_name_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationFailed, match=r"photos.toml: pace.max_per_second is -1: it has to be greater"):
        load_settings(file=write(tmp_path, "[pace]\nmax_per_second = -1\n"))
    with pytest.raises(ConfigurationFailed, match=r"photos.toml: pace.max_per_second and .* are one setting"):
        load_settings(file=write(tmp_path, "[pace]\nmax_per_second = 1\nmax_rate = 2\n"))
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_PER_SECOND", "x")
    with pytest.raises(ConfigurationFailed, match="GLACIER_PURGE_PACE__MAX_PER_SECOND is 'x': it has to be a valid"):
        load_settings()


def test_none_can_be_written_where_none_is_not_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, '[pace]\nmax_rate = "none"\n')
    assert load_settings(file=file, profile="gentle").pace.max_rate is None
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_RATE", "none")
    assert load_settings(profile="gentle").pace.max_rate is None


def test_making_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLACIER_PURGE_PACE__MAX_RATE", "5")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    settings = Settings()
    assert settings.pace.max_rate is None
    assert settings.aws.region is None


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.pace.max_in_flight = 1
    with pytest.raises(ValidationError, match="frozen"):
        settings.pace = settings.pace


@pytest.mark.parametrize("name", ["benchmark", "gentle", "standard"])
def test_the_shipped_profiles_load(name: str) -> None:
    assert name in profile_names()
    load_settings(profile=name)


def test_the_standard_profile_spells_out_every_default() -> None:
    text = (resources.files("glacier_purge_profiles") / "standard.toml").read_text("utf-8")
    assert load_settings(profile="standard") == Settings()
    spelt = {(section, name) for section, values in tomllib.loads(text).items() for name in values}
    known = {(section, name) for section, values in Settings().model_dump().items() for name in values}
    none = ("profile", "region", "endpoint_url", "account_id", "ca_bundle", "record_wire", "use_fips_endpoint")
    unsaid = {("aws", name) for name in (*none, "role", "external_id")}
    unsaid |= {("report", "live_page"), ("report", "metrics_textfile")}
    unsaid |= {("replica", name) for name in ("url", "endpoint_url", "region")}
    unsaid |= {("approval", "allowed_signers"), ("approval", "revoked")}
    assert known - spelt == unsaid | {("estimate", "prices_file"), ("audit", "anchor_file"), ("audit", "sign_key")}


def test_the_defaults_are_the_rooms_own() -> None:
    """The room's figure is the setting's: what is mapped from settings nobody wrote is what the room has by itself."""
    assert purge_settings(Settings()) == PurgeSettings()
    assert access(Settings(), "https://glacier.eu-west-1.amazonaws.com", id_rule=EXACT) == Access(
        endpoint_url="https://glacier.eu-west-1.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("url", "s3://Purges", "'s3://Purges' is no place in a bucket; write s3://bucket/prefix"),
        ("url", "s3://purges/../a", "'s3://purges/../a' has a prefix with an empty or dotted part"),
        ("endpoint_url", "https://minio.company.example", "neither an endpoint of S3"),
        ("endpoint_url", "https://glacier.eu-west-1.amazonaws.com", "neither an endpoint of S3"),
        ("lease_seconds", 0.5, "greater than or equal to 1"),
    ],
)
def test_a_bucket_that_is_none_is_refused_by_what_asks_for_it(name: str, value: object, why: str) -> None:
    with pytest.raises(UsageError, match=f"^--replica.*{why}" if name == "url" else why):
        load_settings(arguments={"replica": {name: value}}, called=option_of_setting)


def test_a_bucket_is_s3s_or_on_loopback() -> None:
    given = {"url": "s3://purges/photos/", "endpoint_url": "http://127.0.0.1:9000", "region": "eu-west-1"}
    settings = load_settings(arguments={"replica": given})
    assert replica_bucket(settings) == (("purges", "photos"), "eu-west-1", "http://127.0.0.1:9000")
    assert replica_bucket(Settings()) is None


# glacier-purge config schema
def test_the_schema_in_config_is_current(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    assert main(["config", "schema"]) == 0
    assert capsys.readouterr().out == (repository / "config/schema.json").read_text("utf-8"), (
        "run: glacier-purge config schema > config/schema.json"
    )


def test_every_setting_is_explained_in_the_schema() -> None:
    for section in Settings.model_json_schema()["$defs"].values():
        assert section.get("enum") or section["properties"]
        assert all(setting.get("description") for setting in section.get("properties", {}).values())


# glacier-purge config show > photos.toml; glacier-purge config show --config photos.toml
def test_what_config_show_prints_is_a_settings_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--settings-profile", "gentle", "--profile", 'odd "name" \\']) == 0
    text = capsys.readouterr().out
    assert main(["config", "show", "--config", str(write(tmp_path, text)), "--output", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["pace"]["max_rate"] == 25
    assert shown["aws"]["profile"] == 'odd "name" \\'


@pytest.mark.parametrize("windows", ["['22:00-06:00']", "['22:00-06:00 Europe/Berlin', '12:00-13:00']"])
def test_windows_of_hours_are_settings(tmp_path: Path, windows: str) -> None:
    settings = load_settings(file=write(tmp_path, f"[pace]\nwindows = {windows}\n"))
    assert len(purge_settings(settings).windows) == len(settings.pace.windows) > 0


def test_a_window_that_is_none_is_refused_where_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path, "[pace]\nwindows = ['22:00-06:00', '22-6']\n")
    with pytest.raises(ConfigurationFailed, match=r"photos.toml: pace.windows is '22-6': .* write 22:00-06:00"):
        load_settings(file=file)
