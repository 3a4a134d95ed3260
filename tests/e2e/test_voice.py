"""What is heard on stderr, and that with ``--log-format json`` each line of it is one object, whoever wrote it."""

from __future__ import annotations

import inspect
import json
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import glacier_purge.cli.app as app_module
from glacier_purge.cli import main
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.logs import configure_logs
from glacier_purge.cli.options import LogOptions
from glacier_purge.cli.output import print_text, tell
from glacier_purge.cli.verbs import VERBS
from glacier_purge.cli.voice import Voice, lines, voice_wanted
from tests.cli.test_help import parser
from tests.e2e.shell import process_settings_kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Bench


def objects(err: str) -> list[dict[str, Any]]:
    """Each line as what it holds; every line has to be one object with what a collector needs."""
    told = [json.loads(line) for line in err.splitlines()]
    assert all({"event", "level", "timestamp"} <= one.keys() for one in told), told
    assert err.isascii()
    return told


@pytest.mark.parametrize(
    ("arguments", "exit_code", "level", "event"),
    [
        (["confg", "--log-format", "json"], 2, "error", "Unknown command"),
        (["config", "show", "--regoin", "x", "--log-format=json"], 2, "error", "Did you mean --region?"),
        (["config", "show", "--log-format", "json", "--log-level", "loud"], 2, "error", "--log-level"),
        (["status", "/nowhere/at/all", "--log-format", "json", "--quiet"], 2, "error", "is not a run folder"),
        (["config", "show", "--config", "/nowhere.toml", "--log-format", "json"], 253, "error", "/nowhere.toml"),
    ],
)
def test_what_is_wrong_is_one_object(
    arguments: list[str], exit_code: int, level: str, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == exit_code
    (told,) = objects(capsys.readouterr().err)
    assert told["level"] == level
    assert event in told["event"]


def failing_after_words() -> None:
    """Say something in every way there is, and fail."""
    print_text("the result")
    tell("ordinary")
    tell("not to be missed", "warning")
    lines("info").write("1 of 2 deleted\n")
    sys.stderr.write(warnings.formatwarning("old", DeprecationWarning, "file.py", 1))  # as Python writes them
    thread = threading.Thread(target=lambda: sys.stderr.write("raw, without its end"))
    thread.start()
    thread.join()
    raise KeyError("ordinal")


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a verb that says all kinds of things leaves on stderr."""

    def run(*options: str) -> str:
        monkeypatch.setattr(app_module, "parse", lambda _: failing_after_words)
        assert main(["anything", *options]) == ExitCode.UNEXPECTED
        printed = capsys.readouterr()
        assert printed.out == "the result\n"
        return printed.err

    return run


def test_whoever_writes_it_is_an_object_a_line(spoken: Callable[..., str]) -> None:
    told = objects(spoken("--log-format", "json", "--debug"))
    assert [(one["level"], one["event"]) for one in told][:3] == [
        ("info", "ordinary"),
        ("warning", "not to be missed"),
        ("info", "1 of 2 deleted"),
    ]
    assert any(one["level"] == "warning" and "DeprecationWarning: old" in one["event"] for one in told)
    assert any(one["event"].startswith("raw, without its end") for one in told)
    assert [one["level"] for one in told][-2:] == ["error", "error"]
    assert "Traceback" in told[-2]["event"]


@pytest.mark.parametrize(
    ("options", "heard", "unheard"),
    [
        ((), {"ordinary", "not to be missed", "1 of 2", "unexpected"}, {"Traceback"}),
        (("--debug",), {"ordinary", "not to be missed", "1 of 2", "unexpected", "Traceback"}, set()),
        (("--log-level", "debug"), {"ordinary", "Traceback"}, set()),
        (("--quiet",), {"not to be missed", "unexpected"}, {"ordinary", "1 of 2", "Traceback"}),
        (("--log-level=error",), {"unexpected"}, {"ordinary", "1 of 2", "not to be missed"}),
        (("--quiet", "--log-level", "info"), {"ordinary"}, set()),
    ],
)
def test_the_level_says_what_is_heard(
    options: tuple[str, ...], heard: set[str], unheard: set[str], spoken: Callable[..., str]
) -> None:
    told = spoken(*options)
    assert {words for words in heard if words not in told} == set()
    assert {words for words in unheard if words in told} == set()


def test_what_stands_behind_two_hyphens_is_no_option() -> None:
    assert voice_wanted(["why", "run", "--", "--quiet"]) == Voice()
    assert voice_wanted(["why", "run", "--log-format"]) == Voice()


def test_the_operator_log_has_the_same_level_and_form(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    with process_settings_kept():
        configure_logs(LogOptions(log_format="json", quiet=True))
        log = structlog.get_logger()
        log.info("run.began")
        log.warning("hold.found")
    assert [one["event"] for one in objects(capsys.readouterr().err)] == ["hold.found"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_these_options(verb: str) -> None:
    function = parser(verb).default_command
    assert function is not None
    assert inspect.signature(function).parameters["logs"].default == LogOptions()


@pytest.mark.in_process
@pytest.mark.parametrize("bench", [{"archives": 300, "latency-ms": 1}], indirect=True)
def test_a_whole_purge_says_objects_or_next_to_nothing(bench: Bench) -> None:
    digest = bench.plan()["digest"]
    loud = ("--log-format", "json", "--max-rate", "200")
    bench.variables = {"GLACIER_PURGE_REPORT__PROGRESS_SECONDS": "0.2"}
    told = objects(bench.run(*bench.apply_arguments(digest, *loud)).stderr)
    assert any(f"digest  {digest}" in one["event"] for one in told), "the plan stands before its approval"
    assert any("of 300" in one["event"] and "in flight" in one["event"] for one in told)
    quiet = bench.run("apply", str(bench.run_dir), "--quiet")
    assert (quiet.stderr, "deleted" in quiet.stdout) == ("", True)
