"""A company's file and a user's: read without being named, in nobody else's hand, and what they settle is settled."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from glacier_purge.api.values import capped, purge_settings
from glacier_purge.cli import main
from glacier_purge.errors import ConfigurationFailed, UsageError
from glacier_purge.plan.choices import Caps
from glacier_purge.settings import Settings, load_settings, places
from glacier_purge.settings.company import ADDED_UP, WALLS
from glacier_purge.settings.places import line_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a company's settings would lie."""
    monkeypatch.setattr(places, "COMPANY_FILE", tmp_path / "etc.toml")
    return tmp_path / "etc.toml"


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user's would."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "glacier-purge.toml"


def write(file: Path, text: str) -> Path:
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    return file


def test_both_are_read_without_being_named_and_the_nearer_one_wins(company: Path, user: Path, tmp_path: Path) -> None:
    write(company, "[report]\nprogress_seconds = 1\n[retry]\nwait_seconds_max = 1\nfirst_wait_seconds = 0.1\n")
    write(user, "[report]\nprogress_seconds = 2\n[retry]\nwait_seconds_max = 2\n")
    settings = load_settings(file=write(tmp_path / "named.toml", "[report]\nprogress_seconds = 3\n"))
    assert settings.report.progress_seconds == 3
    assert (settings.retry.wait_seconds_max, settings.retry.first_wait_seconds) == (2, 0.1)


def test_without_a_home_there_is_a_file_less(company: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not company.exists()
    (tmp_path / ".config").mkdir()
    write(tmp_path / ".config/glacier-purge.toml", "[report]\nprogress_seconds = 2\n")
    assert load_settings().report.progress_seconds == 2


@pytest.mark.parametrize(("section", "name"), sorted(ADDED_UP - {("hooks",)}))
def test_a_deny_list_is_made_longer_and_never_shorter(
    section: str, name: str, company: Path, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three, four = (
        {"deny_accounts": f"{number:012}", "deny_id_files": f"/lists/{number}"}.get(name, f"vault-{number}")
        for number in range(4)
    )
    write(company, f"[{section}]\n{name} = {json.dumps([one])}\n")
    write(user, f"[{section}]\n{name} = {json.dumps([two, one])}\n")
    file = write(tmp_path / "named.toml", f"[{section}]\n{name} = {json.dumps([three])}\n")
    monkeypatch.setenv(f"GLACIER_PURGE_{section}__{name}".upper(), json.dumps([four]))
    assert getattr(load_settings(file=file).safety, name) == (one, two, three, four)
    monkeypatch.setenv(f"GLACIER_PURGE_{section}__{name}".upper(), "[]")
    assert getattr(load_settings().safety, name) == (one, two)
    assert getattr(load_settings(arguments={section: {name: []}}).safety, name) == (one, two)


@pytest.mark.parametrize("wrong", ['"photos"', "3", "{}"])
def test_a_deny_list_that_is_none_is_refused_and_not_passed_over(wrong: str, company: Path, user: Path) -> None:
    write(company, f"[safety]\ndeny_vaults = {wrong}\n")
    write(user, '[safety]\ndeny_vaults = ["records"]\n')
    with pytest.raises(ConfigurationFailed, match=r"etc.toml: safety.deny_vaults"):
        load_settings()


_LAXER = {
    "max_rate": ("50", "60", "60.0"),
    "max_in_flight": ("8", "9", "9"),
    "leave_share": ("0.5", "0.4", "0.4"),
    "windows": ('["22:00-06:00"]', "[]", r"\[\]"),
    "max_archives": ("100", '"none"', "none"),
    "max_bytes": ("100", "101", "101"),
    "inventory_max_age_seconds": ("3600", '"none"', "none"),
    "max_duration_seconds": ("60", "61", "61.0"),
    "protection_interval_seconds": ("60", "600", "600.0"),
    "canary": ("[10, 100]", "[1000]", r"\[1000\]"),
    "fuse_failed_max": ("5", "6", "6"),
    "fuse_failed_share": ("0.1", "0.2", "0.2"),
    "approvals": ("2", "1", "1"),
    "allowed_signers": ('"/etc/signers"', '"/tmp/mine"', "/tmp/mine"),
    "revoked": ('"/etc/revoked"', '"/tmp/none"', "/tmp/none"),
    "not_the_planner": ("true", "false", "False"),
}


@pytest.mark.parametrize("path", sorted(WALLS))
def test_a_companys_limit_is_not_asked_past(path: tuple[str, str], company: Path, user: Path) -> None:
    section, name = path
    limit, laxer, told = _LAXER[name]
    write(company, f"# ours\n[{section}]\n{name} = {limit}\n")
    assert getattr(getattr(load_settings(), section), name) is not None
    write(user, f"[{section}]\n{name} = {laxer}\n")
    with pytest.raises(ConfigurationFailed, match=rf"toml: {section}.{name} is {told}, and .*etc.toml, line 3, allows"):
        load_settings()
    write(user, f"[{section}]\n{name} = {limit}\n")
    load_settings()


def test_less_than_a_companys_limit_may_be_asked_for(company: Path) -> None:
    write(company, "[pace]\nmax_rate = 50\nleave_share = 0.2\n[safety]\nmax_archives = 100\n")
    asked: dict[str, dict[str, object]] = {
        "pace": {"max_rate": 5.0, "leave_share": 0.3},
        "safety": {"max_archives": 10},
    }
    settings = load_settings(arguments=asked)
    assert (settings.pace.max_rate, settings.pace.leave_share, settings.safety.max_archives) == (5, 0.3, 10)
    with pytest.raises(UsageError, match=r"argument: pace.max_rate is 51.0, and .* allows at most 50.0. Ask for less"):
        load_settings(arguments={"pace": {"max_rate": 51}})


@pytest.mark.parametrize(("profile", "max_rate"), [("gentle", 25.0), ("standard", 50.0), ("benchmark", 50.0)])
def test_of_a_shipped_profile_and_a_companys_limit_the_stricter_holds(
    profile: str, max_rate: float, company: Path
) -> None:
    write(company, "[pace]\nmax_rate = 50\n")
    assert load_settings(profile=profile).pace.max_rate == max_rate
    with pytest.raises(UsageError, match=r"max_rate is 51.0, and .*etc.toml, line 2, allows at most 50.0"):
        load_settings(profile=profile, arguments={"pace": {"max_rate": 51}})


def test_a_fleets_cap_and_an_order_stay_below_a_companys_limit(company: Path) -> None:
    write(company, "[pace]\nmax_rate = 50\n[safety]\nmax_archives = 100\n")
    settings = load_settings()
    assert capped(settings, Caps(max_archives=1_000, max_bytes=7)).safety.max_archives == 100
    assert capped(settings, Caps(max_archives=10, max_bytes=7)).safety.max_bytes == 7
    assert capped(Settings(), Caps(max_archives=1_000)).safety.max_archives == 1_000
    assert purge_settings(settings).rate_per_second_wall == 50


@pytest.mark.parametrize("which", ["company", "user", "named"])
def test_a_file_in_which_others_have_a_hand_is_refused(
    which: str, company: Path, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write({"company": company, "user": user, "named": tmp_path / "named.toml"}[which], "[pace]\n")
    named = file if which == "named" else None
    load_settings(file=named)
    for mode in (0o620, 0o602):
        file.chmod(mode)
        with pytest.raises(
            ConfigurationFailed, match=r"^settings file .*toml can be written by other users.*chmod go-w"
        ):
            load_settings(file=named)
    file.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: 4_711)
    if file.stat().st_uid != 0:
        with pytest.raises(ConfigurationFailed, match=r"toml belongs to .*it has to be root's or 4711's"):
            load_settings(file=named)


def test_a_strangers_file_is_refused(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(user, "[pace]\n")
    found = os.fstat

    def a_strangers(descriptor: int) -> os.stat_result:
        return os.stat_result([*found(descriptor)[:4], 4_711, *found(descriptor)[5:10]])

    monkeypatch.setattr(os, "fstat", a_strangers)
    with pytest.raises(ConfigurationFailed, match=r"glacier-purge.toml belongs to 4711, who can change it at any time"):
        load_settings()


def test_a_file_that_is_there_and_can_not_be_read_is_refused(company: Path) -> None:
    company.symlink_to(company.with_name("gone.toml"))
    with pytest.raises(ConfigurationFailed, match=r"etc.toml: No such file"):
        load_settings()
    company.unlink()
    company.mkdir()
    with pytest.raises(ConfigurationFailed, match=r"etc.toml: it is a folder"):
        load_settings()


def test_a_file_may_be_linked_from_elsewhere(company: Path, tmp_path: Path) -> None:
    company.symlink_to(write(tmp_path / "elsewhere.toml", "[pace]\nmax_in_flight = 3\n"))
    assert load_settings().pace.max_in_flight == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[pace]\nmax_rate = 3\n", 2),
        ("# first\n\n[pace]\n# why\nmax_rate = 3 # max_rate\n", 5),
        ("pace.max_rate = 3", 1),
        ("[safety]\ndeny_vaults = [\n  'max_rate = 1',\n]\n[pace]\nmax_in_flight = 1\nmax_rate = 3\n", 7),
        ('[aws]\nprofile = """\n[pace]\nmax_rate = 1\n"""\n[pace]\nmax_rate = 3\n', 7),
        ("pace = {max_in_flight = 1, max_rate = 3}\r\n", 1),
        ("\n" * 5_000 + "[pace]\nmax_rate = 3\n", None),
        ("[pace]\n", None),
    ],
)
def test_the_line_of_a_setting_is_told(text: str, line: int | None) -> None:
    assert line_of(("pace", "max_rate"), text) == line


# glacier-purge config show --settings-profile gentle --config named.toml --profile ops
def test_config_show_says_where_each_value_comes_from(
    company: Path, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(company, '[safety]\ndeny_vaults = ["records"]\n')
    write(user, '[safety]\nmax_archives = 5\ndeny_vaults = [\n  "ledger*",\n]\n')
    file = write(tmp_path / "named.toml", "[pace]\nmax_per_second = 7\n")
    monkeypatch.setenv("GLACIER_PURGE_REPORT__PROGRESS_SECONDS", "3")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    command = ["config", "show", "--settings-profile", "gentle", "--config", str(file), "--profile", "ops"]
    assert main([*command, "--output", "json"]) == 0
    origins = json.loads(capsys.readouterr().out)["origins"]
    assert {name: origins[name] for name in ("safety.deny_vaults", "safety.max_archives", "pace.max_rate")} == {
        "safety.deny_vaults": f"{company}, line 2; {user}, line 3",
        "safety.max_archives": f"{user}, line 2",
        "pace.max_rate": f"{file}, line 2",
    }
    assert origins["report.progress_seconds"] == "GLACIER_PURGE_REPORT__PROGRESS_SECONDS"
    assert (origins["aws.region"], origins["aws.profile"]) == ("AWS_REGION", "--profile")
    assert origins["pace.leave_share"] == "profile gentle, line 7"
    assert "retry.first_wait_seconds" not in origins
    assert main(command) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f'deny_vaults = ["records", "ledger*"] # {company}, line 2; {user}, line 3' in text
    assert "first_wait_seconds = 0.5 # default" in text
