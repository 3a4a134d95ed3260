"""Hooks as settings: in every layer, adding up, with faults told in plain words and without what may be a secret."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from glacier_purge.cli import main
from glacier_purge.cli.again import same_command
from glacier_purge.cli.options import AwsOptions, HookOptions, SettingsOptions
from glacier_purge.errors import ConfigurationFailed, UsageError
from glacier_purge.settings import Settings, load_settings, places
from tests.settings.test_company import company, user, write

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["company", "user"]

_URL = "https://chat.example.com/services/T0/B0/very-secret"


def test_hooks_of_all_places_are_told(
    company: Path, user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(company, f'[[hooks]]\nurl = "{_URL}"\nevents = ["failed"]\n')
    write(user, '[[hooks]]\ncommand = "mail -s glacier me"\n[[hooks]]\ncommand = ["/opt/my tool", "x"]\n')
    named = write(tmp_path / "named.toml", '[[hooks]]\ncommand = "mail -s glacier me"\n')
    monkeypatch.setenv("GLACIER_PURGE_HOOKS", json.dumps([{"url": "http://127.0.0.1:9/x"}]))
    hooks = SettingsOptions(config=named).load(AwsOptions(), hooks=HookOptions(hook=("logger -t g", _URL))).hooks
    assert [hook.name for hook in hooks] == [
        "https://chat.example.com/…",
        "mail",
        "/opt/my tool",
        "http://127.0.0.1:9/…",
        "logger",
        "https://chat.example.com/…",
    ]
    assert [hook.program for hook in hooks][1:3] == [("mail", "-s", "glacier", "me"), ("/opt/my tool", "x")]


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        ("", "a hook is a command or a url; give one of them"),
        (f'url = "{_URL}"\ncommand = "x"', "a hook is a command or a url; give one of them"),
        ('command = ""', "its command is empty"),
        ("command = []", "its command is empty"),
        ('command = "a \'b"', "its command is none (No closing quotation)"),
        ('command = "x"\nsecret_env = "S"', "a secret signs what is sent to a url, and this is a command; take it out"),
        (
            'url = "http://chat.example.com/very-secret"',
            "its url is http, which anybody on the way can read and change",
        ),
        ('url = "http://127.0.0.1@chat.example.com/"', "its url is http, which anybody on the way can read and change"),
        ('url = "ftp://chat.example.com/very-secret"', "its url is none; write https://host/path"),
        ('url = "chat.example.com/very-secret"', "its url is none; write https://host/path"),
        ('url = "https:///very-secret"', "its url is none; write https://host/path"),
        ('url = "https://chat.example.com:99999/"', "its url is none"),
        ('url = "https://chat.example.com/ very-secret"', "its url is none; write https://host/path"),
        ('url = "https://chat.example.com/…"', "its url is not whole: config show leaves out what may be secret"),
        (f'url = "{_URL}"\nsecret_env = "S"\nsecret_file = "/s"', "its secret is in a variable and in a file"),
        (f'url = "{_URL}"\nsecret_file = "s"', "secret_file: not an absolute path"),
        ('command = "x"\nevents = ["finishd"]', "events: it has to be 'approval_wanted', 'held', 'stopped', 'failed'"),
        ('command = "x"\ntimeout_seconds = 0', "timeout_seconds: it has to be greater than 0"),
        (
            'command = "x"\ntimeout_second = 1',
            "timeout_second is not a setting of a hook. Did you mean timeout_seconds?",
        ),
    ],
)
def test_a_hook_that_is_wrong_is_refused_by_file_and_number(hook: str, why: str, user: Path, tmp_path: Path) -> None:
    write(user, '[[hooks]]\ncommand = "good"\n')
    file = write(tmp_path / "named.toml", f'[[hooks]]\ncommand = "good too"\n[[hooks]]\n{hook}\n')
    with pytest.raises(ConfigurationFailed) as refused:
        load_settings(file=file)
    assert str(refused.value).startswith(f"{file}: hook 2: {why}")
    assert "very-secret" not in str(refused.value)


def test_hooks_that_are_no_list_are_refused_wherever_they_stand(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(user, "[hooks]\ncommand = 'x'\n")
    with pytest.raises(ConfigurationFailed, match=r"glacier-purge.toml: hooks: it has to be a valid tuple"):
        SettingsOptions().load(AwsOptions(), hooks=HookOptions(hook=("logger",)))
    user.unlink()
    monkeypatch.setenv("GLACIER_PURGE_HOOKS", '[{"command": ""}]')
    with pytest.raises(ConfigurationFailed, match=r"^GLACIER_PURGE_HOOKS: hook 1: its command is empty"):
        load_settings()
    monkeypatch.delenv("GLACIER_PURGE_HOOKS")
    with pytest.raises(UsageError, match=r"^--hook: its url is http, which"):
        SettingsOptions().load(AwsOptions(), hooks=HookOptions(hook=("http://chat.example.com",)))


# glacier-purge config show --config named.toml
def test_config_show_names_a_hook_and_not_the_secret_in_its_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "named.toml", f'[[hooks]]\nurl = "{_URL}"\nevents = ["held"]\n[[hooks]]\ncommand = "x y"\n')
    assert main(["config", "show", "--config", str(file)]) == 0
    text = capsys.readouterr().out
    assert "very-secret" not in text
    assert f"[[hooks]]  # {file}, line 1" in text
    assert [hook.get("command", hook.get("url")) for hook in tomllib.loads(text)["hooks"]] == [
        "https://chat.example.com/…",
        "x y",
    ]
    assert main(["config", "show", "--config", str(file), "--output", "json"]) == 0
    assert "very-secret" not in (out := capsys.readouterr().out)
    assert json.loads(out)["origins"]["hooks"] == f"{file}, line 1"


@pytest.mark.parametrize("place", ["COMPANY_FILE"])
def test_nobodys_hooks_are_there_by_themselves(place: str) -> None:
    assert not getattr(places, place).exists()
    assert Settings().hooks == load_settings().hooks == ()


@pytest.mark.parametrize(
    "words",
    [
        ["run", "p h", "--no-wait"],
        ["run", "p h", "--confirm-digest", "old", "--no-wait"],
        ["run", "p h", "--confirm-digest=old", "--no-wait"],
        ["fleet", "--confirm-digest", "a", "f.toml", "--confirm-digest", "b"],
    ],
)
def test_the_command_that_approves_is_this_one_with_the_digest(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/bin/glacier-purge", *words])
    given = "run 'p h' --no-wait" if words[0] == "run" else "fleet f.toml"
    assert same_command("new") == f"cd {tmp_path} && glacier-purge {given} --confirm-digest new"
    assert same_command(None).startswith(f"cd {tmp_path} && glacier-purge {words[0]} ")
