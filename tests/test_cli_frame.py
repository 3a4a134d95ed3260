"""The frame around the verbs: exit codes, messages, start-up; started as a user starts it wherever that matters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import glacier_purge.cli.app as app_module
from glacier_purge import errors
from glacier_purge.cli import main, version
from glacier_purge.cli.exit_codes import MEANINGS, ExitCode, table

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = str(Path(sys.executable).with_name("glacier-purge"))


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let a function of the test's be what the command line asks for."""

    def replace(function: Callable[[], object]) -> None:
        monkeypatch.setattr(app_module, "parse", lambda _: function)

    return replace


def failing(error: BaseException) -> Callable[[], object]:
    def run() -> object:
        raise error

    return run


# glacier-purge --version
def test_the_version_is_answered_without_the_parser() -> None:
    code = (
        "import sys; from glacier_purge.cli import main; status = main(['--version']); "
        "sys.exit(status or sorted({'cyclopts', 'rich', 'pydantic', 'aioboto3', 'anyio'} & set(sys.modules)) or 0)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"glacier-purge {version()}\n", "")


# glacier-purge --help
def test_help_imports_no_verb_and_nothing_heavy() -> None:
    code = (
        "import sys; from glacier_purge.cli import main; status = main(['--help']); "
        "heavy = {'pydantic', 'aioboto3', 'anyio', 'structlog', 'glacier_purge.cli.config', 'glacier_purge.settings'}; "
        "sys.exit(status or sorted(heavy & set(sys.modules)) or 0)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_help_prints_the_table_of_exit_codes() -> None:
    answer = start("--help")
    assert answer.returncode == 0
    assert table() in answer.stdout
    assert answer.stderr == ""


# glacier-purge run --help
def test_help_breaks_lines_at_the_edge_and_tells_no_default_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    told = start("run", "--help").stdout
    assert told.startswith("Usage: glacier-purge run [OPTIONS] VAULT\n\nCarry a vault")
    assert "AWS's Data Transfer or Re:Freezer, or a CSV" in told
    assert "[default: text]" in told
    assert "[default: False]" not in told
    assert "[default: ()]" not in told


def test_the_module_is_the_command() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "glacier_purge", "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, f"glacier-purge {version()}\n")


def test_every_exit_code_has_a_meaning_that_fits_a_line() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert max(len(line) for line in table().splitlines()) < 80


def test_every_error_of_ours_ends_with_a_code_of_the_table() -> None:
    family = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert {kind.exit_code for kind in family} == {2, 3, 4, 75, 130, 253, 254, 255}  # type: ignore[attr-defined]  # all are ours


def test_the_documentation_says_what_to_do_for_each_code_of_the_table(repository: Path) -> None:
    page = (repository / "docs" / "how-to" / "trouble.md").read_text("utf-8")
    quoted = dict(re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", page, re.MULTILINE))
    assert quoted == {str(code.value): meaning for code, meaning in MEANINGS.items()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["confg"], 'Unknown command "confg". Did you mean "config"?'),
        (["config", "shw"], "See `glacier-purge config --help`."),
        (["config", "show", "--regoin", "x"], "Unknown option: --regoin. Did you mean --region?"),
        (["config", "show", "--region"], "--region was given without a value"),
        (["config", "show", "--output", "yaml"], 'Choose from: "text", "json".'),
        (["config", "show", "surplus"], "surplus"),
        (["config", "show", "--region", "us-eats-1"], "Did you mean us-east-1?"),
        (["config", "show", "--endpoint-url", "http://169.254.169.254"], "is refused: deletes go only to"),
    ],
)
def test_wrong_usage_is_2_and_says_so_on_stderr(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("glacier-purge: ")
    assert message in printed.err
    assert "Traceback" not in printed.err


def test_values_may_begin_with_a_hyphen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--profile", "-odd", "--account-id", "-", "--output", "json"]) == ExitCode.DONE
    aws = json.loads(capsys.readouterr().out)["aws"]
    assert (aws["profile"], aws["account_id"]) == ("-odd", None)


@pytest.mark.parametrize(("returned", "exit_code"), [(None, 0), (0, 0), (1, 1), (ExitCode.STOPPED, 3)])
def test_what_a_verb_returns_is_the_exit_code(
    returned: object, exit_code: int, verb: Callable[[Callable[[], object]], None]
) -> None:
    verb(lambda: returned)
    assert main(["anything"]) == exit_code


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (errors.UsageError("no such vault name"), 2),
        (errors.InventoryDamaged("not JSON", offset_bytes=1_024, file="a.json"), 2),
        (errors.RunStopped("the disk is full"), 3),
        (errors.AuditDamaged("chain broken", file="000001.jsonl", offset_bytes=3, record=7), 4),
        (errors.CredentialsFailed("expired"), 253),
        (errors.ConfigurationFailed("a.toml: pcae is not a setting"), 253),
        (errors.ServiceRefused("denied"), 254),
    ],
)
@pytest.mark.parametrize("wrap", [lambda error: error, lambda error: ExceptionGroup("tasks", [error, error])])
def test_an_error_of_ours_is_its_message_and_its_code(
    error: errors.GlacierPurgeError,
    exit_code: int,
    wrap: Callable[[Exception], Exception],
    verb: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    verb(failing(wrap(error)))
    assert main(["anything"]) == exit_code
    assert capsys.readouterr().err == f"glacier-purge: {error}\n"


def test_a_bug_is_255_and_keeps_its_traceback_for_debug(
    verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(failing(ExceptionGroup("tasks", [errors.RunStopped("stopped"), KeyError("ordinal")])))
    assert main(["anything"]) == ExitCode.UNEXPECTED
    brief = capsys.readouterr().err
    assert "unexpected error: KeyError: 'ordinal'" in brief
    assert "--debug" in brief
    assert "Traceback" not in brief
    assert main(["anything", "--debug"]) == ExitCode.UNEXPECTED
    assert "Traceback" in capsys.readouterr().err


def test_a_refusal_of_the_system_is_not_called_a_bug(
    verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(failing(PermissionError(13, "Permission denied", "photos/run.json")))
    assert main(["anything"]) == ExitCode.STOPPED
    printed = capsys.readouterr().err
    assert "('photos/run.json'): Permission denied" in printed
    assert "bug" not in printed


def test_messages_are_safe_for_terminals_and_hold_no_secrets(
    verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(failing(errors.ServiceRefused("denied for AKIAIOSFODNN7EXAMPLE\x1b[2J\u202e")))
    assert main(["anything"]) == ExitCode.REFUSED
    assert capsys.readouterr().err == "glacier-purge: denied for AKIA…MPLE\\x1b[2J\\u202e\n"


def test_ctrl_c_is_130(verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]) -> None:
    verb(failing(KeyboardInterrupt()))
    assert main(["anything"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "glacier-purge: interrupted. The same command resumes.\n"


# glacier-purge --help | (exit)
def test_a_reader_that_goes_away_is_no_error_to_speak_of() -> None:
    process = subprocess.Popen([COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, complaint = process.communicate(timeout=30)
    assert complaint == b""
    assert process.returncode == ExitCode.OUTPUT_CLOSED


# glacier-purge config show | (exit)
def test_a_reader_that_goes_away_does_not_change_how_a_verb_ended() -> None:
    process = subprocess.Popen([COMMAND, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (0, b"")
