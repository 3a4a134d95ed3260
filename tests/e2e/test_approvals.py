"""Nobody approves what they cannot see: the whole plan stands before every yes and every no, however it is asked for.

Over one simulator whose deletes are denied: an approval that was taken shows as 254, and nothing is ever deleted.
"""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from glacier_purge.plan.document import read_plan
from tests.e2e.desk import deletes

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.desk import Desk
    from tests.e2e.shell import Said

CHOSEN = 50
LIMIT = ("--limit", str(CHOSEN))
MEMBER = "123456789012-us-east-1-photos"
FLEET = f'[[vaults]]\nname = "photos"\nlimit = {CHOSEN}\n'
SECTIONS = (
    "  endpoint    http://127.0.0.1:",
    f"  goes        {CHOSEN} archives, ",
    "                 10  over limit",
    "  sender      one process at a time on this host",
    "Uploaded in",
    "Sizes",
    "For example",
    "  early deletion  ",
    "  CloudTrail  ",
    "  deletes         ",
    "  retrievals  looked at; nobody retrieves an archive",
)


def asked_by(desk: Desk, verb: str, *more: str) -> Said:
    """Ask for the approval of one and the same choice by each verb that wants one."""
    at = ("--endpoint-url", desk.simulator.endpoint_url)
    if verb == "apply":
        return desk.ask("apply", str(desk.run_dir), *more)
    if verb == "purge":
        return desk.purge_of("photos", *LIMIT, *more)
    if verb == "run":
        return desk.run_of("photos", *LIMIT, *more)
    (desk.folder / "fleet.toml").write_text(FLEET, "utf-8")
    return desk.ask(
        *("fleet", str(desk.folder / "fleet.toml"), "--run-dir", str(desk.folder / "fleet"), "--no-wait", *at), *more
    )


def planned_by(desk: Desk, verb: str) -> Path:
    """Go up to the approval that ``verb`` asks for; return the folder that its plan is in, or will be in."""
    desk.answer_with("access-denied", "DeleteArchive")
    if verb == "apply":
        assert desk.plan_of("photos", *LIMIT).exit_code == 0
    if verb in {"apply", "purge"}:
        return desk.run_dir
    for _ in range(4):
        said = asked_by(desk, verb)
        assert said.exit_code == 75, said
        if "approval" in said.out:
            break
        desk.simulator.post("clock", step_seconds=5 * 3600.0)
    return desk.folder / ("lifecycle" if verb == "run" else f"fleet/{MEMBER}") / "round-1"


def digest_of(desk: Desk, place: Path) -> str:
    """What there is to quote; for ``purge`` it is that of a plan that was made before, elsewhere."""
    if (place / "plan.json").exists():
        return read_plan(place / "plan.json").digest
    assert desk.plan_of("photos", *LIMIT).exit_code == 0
    before = desk.run_dir.rename(desk.folder / "before")
    return read_plan(before / "plan.json").digest


def page_in(said: str) -> list[str]:
    """The page of a plan in what was said, to its digest; without the forecast, which is another one each second."""
    lines = said[said.index("Plan for vault ") :].splitlines()
    page = lines[: 1 + next(number for number, line in enumerate(lines) if line.startswith("digest  "))]
    begin = next(number for number, line in enumerate(page) if line.startswith("Forecast"))
    return page[:begin] + page[page.index("", begin) :]


class Way(NamedTuple):
    """How somebody says yes, or does not: quoting ``digest`` or typing ``typed``; what comes of it, in which format."""

    exit_code: int
    output: str
    digest: str | None = None
    typed: str | None = None


WAYS = {
    "nobody is there to ask": Way(2, "json"),
    "the digest is quoted": Way(254, "json", digest="the plan's"),
    "another digest is quoted": Way(2, "text", digest="0" * 64),
    "it is typed": Way(254, "json", typed=f"photos {CHOSEN}\n"),
    "something else is typed": Way(2, "text", typed="yes\n"),
}


def typing(desk: Desk, text: str | None) -> AbstractContextManager[None]:
    return nullcontext() if text is None else desk.typing(text)


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", ["apply", "purge", "run", "fleet"])
def test_the_whole_plan_stands_before_every_approval(verb: str, way: str, desk: Desk) -> None:
    how = WAYS[way]
    place = planned_by(desk, verb)
    digest = digest_of(desk, place)
    quoted = () if how.digest is None else ("--confirm-digest", digest if how.digest == "the plan's" else how.digest)
    before = deletes(desk.simulator)
    with typing(desk, how.typed):
        said = asked_by(desk, verb, *quoted, "--output", how.output)
    waits = verb in {"run", "fleet"} and how.typed is None and how.exit_code == 2
    assert said.exit_code == (75 if waits else how.exit_code), said
    assert page_in(said.err) == page_in(desk.ask("show", str(place)).out)
    assert page_in(said.err)[-1] == f"digest  {digest}"
    for section in SECTIONS:
        assert any(line.startswith(section) for line in said.err.splitlines()), section
    if how.typed is not None:
        assert said.err.index(f"digest  {digest}") < said.err.index("to go on, anything else to stop: ")
    assert how.output == "text" or not said.out or json.loads(said.out)
    assert (deletes(desk.simulator) > before) is (how.exit_code == 254)
    assert desk.simulator.ledger()["archives_left"] == 60


class Typist:
    """A terminal at which something happens between the question and its answer."""

    def __init__(self, happens: Callable[[], object], types: str) -> None:
        self._happens = happens
        self._types = types
        self._keys, theirs = socket.socketpair()
        with theirs:
            theirs.send(types.encode())

    def fileno(self) -> int:
        return self._keys.fileno()

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self._keys.close()
        self._happens()
        return self._types


def exchange(one: Path, other: Path) -> None:
    other.rename(other.with_name("third"))
    one.rename(other)
    other.with_name("third").rename(one)


def copied(*names: str) -> Callable[[Path, Path], object]:
    return lambda one, other: [shutil.copy(other / name, one / name) for name in names]


def edited(identity: Path) -> None:
    facts = json.loads(identity.read_bytes())
    identity.write_text(json.dumps(facts | {"created": "2026-01-01T00:00:00Z"}))


MEANWHILE: dict[str, Callable[[Path, Path], object]] = {
    "the folder is another plan's": exchange,
    "another plan and its decisions": copied("plan.json", "decisions"),
    "another plan, its decisions and identity": copied("plan.json", "decisions", "run.json"),
    "another plan": copied("plan.json"),
    "another plan and its identity": copied("plan.json", "run.json"),
    "another's decisions": copied("decisions"),
    "an identity of another day": lambda one, _: edited(one / "run.json"),
    "the folder is gone": lambda one, _: shutil.rmtree(one),
    "others may write in the folder": lambda one, _: one.chmod(0o777),
    "the inventory may be written by others": lambda one, _: (one / "inventory.json").chmod(0o666),
}


@pytest.mark.at_length(one_in=3)
@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_what_is_typed_approves_what_was_shown_and_nothing_that_was_put_there_meanwhile(
    meanwhile: str, desk: Desk
) -> None:
    desk.answer_with("access-denied", "DeleteArchive")
    assert desk.plan_of("photos", "--limit", "9").exit_code == 0
    other = desk.run_dir.rename(desk.folder / "other")
    assert desk.plan_of("photos", *LIMIT).exit_code == 0
    before = deletes(desk.simulator)
    desk.monkeypatch.setattr(
        "sys.stdin", Typist(lambda: MEANWHILE[meanwhile](desk.run_dir, other), f"photos {CHOSEN}\n")
    )
    said = desk.ask("apply", str(desk.run_dir))
    assert f"goes        {CHOSEN} archives" in said.err
    assert said.exit_code == 2, said
    assert deletes(desk.simulator) == before


def test_a_yes_that_comes_after_days_is_none_to_a_plan_that_grew_old(desk: Desk) -> None:
    desk.answer_with("access-denied", "DeleteArchive")
    assert desk.plan_of("photos", *LIMIT).exit_code == 0
    before, later = deletes(desk.simulator), datetime.now(UTC) + timedelta(days=9)

    def days_go_by() -> None:
        desk.monkeypatch.setattr("glacier_purge.api.purging.utc_now", lambda: later)

    desk.monkeypatch.setattr("sys.stdin", Typist(days_go_by, f"photos {CHOSEN}\n"))
    said = desk.ask("apply", str(desk.run_dir))
    assert (said.exit_code, "was made 9 d" in said.err) == (2, True), said.err[-400:]
    assert deletes(desk.simulator) == before


def test_show_prints_what_plan_printed(desk: Desk) -> None:
    planned = desk.plan_of("photos", *LIMIT)
    shown = desk.ask("show", str(desk.run_dir))
    assert page_in(shown.out) == page_in(planned.out)
    assert shown.out.endswith(f"Nothing was sent. To delete: glacier-purge apply {desk.run_dir}\n")


def test_show_gives_programs_what_plan_gave(desk: Desk) -> None:
    planned = json.loads(desk.plan_of("photos", *LIMIT, "--output", "json").out)
    shown = json.loads(desk.ask("show", str(desk.run_dir), "--output", "json").out)
    assert (shown.pop("approval"), shown.pop("approved_by")) == ("wanted", None)
    assert (shown.pop("approvals_needed"), shown.pop("approvals_there")) == (0, [])
    assert shown["vault_findings"]
    assert shown.pop("forecast")["assumed"] == planned.pop("forecast")["assumed"]
    assert (shown.pop("result"), planned.pop("result")) == ("shown-plan", "plan")
    assert shown == planned
    desk.answer_with("access-denied", "DeleteArchive")
    assert desk.ask("apply", str(desk.run_dir), "--confirm-digest", shown["digest"]).exit_code == 254
    assert json.loads(desk.ask("show", str(desk.run_dir), "--output", "json").out)["approval"] == "given"


def test_show_of_a_lifecycle_is_of_the_round_that_waits(desk: Desk) -> None:
    place = planned_by(desk, "run")
    shown = desk.ask("show", str(place.parent))
    digest = digest_of(desk, place)
    assert page_in(shown.out) == page_in(desk.ask("show", str(place)).out)
    assert shown.out.splitlines()[-1].startswith(
        "Nobody has approved it. To delete: give the command it was begun with"
    )
    assert asked_by(desk, "run", "--confirm-digest", digest).exit_code == 254
    given = json.loads(desk.ask("show", str(place.parent), "--output", "json").out)
    assert (given["digest"], given["approval"]) == (digest, "given")
    said = desk.ask("show", str(place.parent)).out.splitlines()[-1]
    assert said == f"Approved by {given['approved_by']}. How far it is: glacier-purge status {place}"


def test_show_of_a_fleet_is_every_plan_that_waits(desk: Desk) -> None:
    place = planned_by(desk, "fleet")
    fleet, digest = str(desk.folder / "fleet"), digest_of(desk, place)
    shown = json.loads(desk.ask("show", fleet, "--output", "json").out)
    assert (shown["waiting"], shown["plans"][0]["digest"], shown["plans"][0]["approval"]) == (1, digest, "wanted")
    assert page_in(desk.ask("show", fleet).out) == page_in(desk.ask("show", str(place)).out)
    assert asked_by(desk, "fleet", "--confirm-digest", digest).exit_code == 254
    assert json.loads(desk.ask("show", fleet, "--output", "json").out)["plans"] == []
    assert f"No plan in {fleet} waits for an approval" in desk.ask("show", fleet).out


def test_show_refuses_what_is_no_whole_plan(desk: Desk) -> None:
    lifecycle = desk.folder / "lifecycle"
    lifecycle.mkdir(mode=0o700)
    (lifecycle / "lifecycle.jsonl").touch()
    said = desk.ask("show", str(lifecycle))
    assert said.exit_code == 2
    assert "has no plan yet: it is in phase 'preflight'" in said.err
    (desk.folder / "nothing").mkdir(mode=0o700)
    assert "holds no plan" in desk.ask("show", str(desk.folder / "nothing")).err
    desk.have_planned()
    for name in ("decisions", "inventory.json", "noticed.json", "plan.json"):
        content = (desk.run_dir / name).read_bytes()
        (desk.run_dir / name).write_bytes(content[:-9] + b"x" * 9)
        said = desk.ask("show", str(desk.run_dir))
        assert (said.exit_code, said.out) == (2, "")
        assert name in said.err
        (desk.run_dir / name).write_bytes(content)
    assert desk.ask("show", str(desk.run_dir)).exit_code == 0


def test_a_folder_that_does_not_say_what_was_noticed_is_not_shown_as_if_nothing_was(desk: Desk) -> None:
    desk.have_planned()
    (desk.run_dir / "noticed.json").unlink()
    assert "NOTE: nobody wrote down whether somebody still writes" in desk.ask("show", str(desk.run_dir)).out
    assert json.loads(desk.ask("show", str(desk.run_dir), "--output", "json").out)["vault_findings"] is None
