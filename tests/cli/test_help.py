"""What ``--help`` tells of each verb is its whole text, with examples that the parser takes and its own exit codes."""

from __future__ import annotations

import shlex
from itertools import groupby
from typing import TYPE_CHECKING, cast

import pytest

from glacier_purge.cli import main
from glacier_purge.cli.app import build, parse
from glacier_purge.cli.exit_codes import ExitCode, table
from glacier_purge.cli.verbs import GROUPS, HEADINGS, VERBS

if TYPE_CHECKING:
    from glacier_purge.cli.verb_parser import VerbParser


def parser(verb: str) -> VerbParser:
    *group, name = verb.split()
    above = build()[group[0]] if group else build()
    return cast("VerbParser", above[name])


def commands(line: str) -> list[list[str]]:
    """The command lines of ours in a line for a shell, without what it makes of its pipes and redirections."""
    words = shlex.split(line.replace("<(", "<( ").replace(")", " )"), comments=True)
    parts = [
        list(part) for ours, part in groupby(words, lambda word: word not in {"|", ">", "source", "<(", ")"}) if ours
    ]
    return [part[1:] for part in parts if part[0] == "glacier-purge"]


@pytest.mark.at_length(one_in=3)
# glacier-purge VERB --help
@pytest.mark.parametrize("verb", VERBS)
def test_help_is_the_whole_text_of_the_verb_with_its_examples_and_its_own_exit_codes(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*verb.split(), "--help"]) == ExitCode.DONE
    told = capsys.readouterr().out
    asked = parser(verb)
    assert told.startswith(f"Usage: glacier-purge {verb}")
    assert " ".join(asked.description.split()) in " ".join(told.split())
    assert [line for line in asked.examples if f"\n  {line}\n" not in told] == []
    assert told.rstrip().endswith(f"Exit codes:\n\n{table(VERBS[verb].endings)}")
    assert max(len(line.rstrip()) for line in told.splitlines()) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_an_example_and_the_parser_takes_all_of_them(verb: str) -> None:
    given = [arguments for line in parser(verb).examples for arguments in commands(line)]
    called = [arguments for arguments in given if arguments[: len(verb.split())] == verb.split()]
    assert called, "no example shows the verb itself"
    for arguments in given:
        parse(arguments)


def test_every_verb_ends_well_or_with_what_any_verb_can_end_with() -> None:
    any_verb = {ExitCode.DONE, ExitCode.USAGE, ExitCode.INTERRUPTED, ExitCode.OUTPUT_CLOSED, ExitCode.UNEXPECTED}
    for verb in VERBS.values():
        assert any_verb <= set(verb.endings)
        assert list(verb.endings) == sorted(verb.endings)
        assert max(map(len, table(verb.endings).splitlines())) < 80


def test_the_list_of_verbs_is_a_line_each_also_after_a_verbs_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["apply", "--help"]) == main(["--help"]) == ExitCode.DONE
    told = capsys.readouterr().out.rpartition("Usage: glacier-purge COMMAND")[2]
    for name, summary in [*GROUPS.items(), *((name, verb.summary) for name, verb in VERBS.items() if " " not in name)]:
        assert f"{name} " in told
        assert summary in told
    assert parser("apply").description not in told


def test_every_verb_stands_under_one_heading_in_the_list() -> None:
    assert sorted(word for words in HEADINGS.values() for word in words) == sorted({verb.split()[0] for verb in VERBS})


def test_what_one_command_line_gave_is_not_there_for_the_next() -> None:
    first = parse(["apply", "a", "--window", "01:00-02:00", "--max-rate", "5", "--profile", "one"])
    second = parse(["apply", "b"])
    third = parse(["apply", "c", "--window", "03:00-04:00"])
    assert first.keywords["pace"].window == ("01:00-02:00",)  # type: ignore[attr-defined]  # a partial
    assert (second.keywords, [str(path) for path in second.args]) == ({}, ["b"])  # type: ignore[attr-defined]
    assert third.keywords["pace"].window == ("03:00-04:00",)  # type: ignore[attr-defined]
    assert third.keywords["pace"].max_rate is None  # type: ignore[attr-defined]
