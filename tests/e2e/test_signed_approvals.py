"""Two people approve with their own keys, by the command: here, on a copy elsewhere, handed in; and what checks it.

Deletes are denied by the simulator: an approval that was taken shows as 254, and nothing is ever deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from glacier_purge import clock
from glacier_purge.audit import verification
from glacier_purge.plan.document import read_plan
from glacier_purge.storage.folder import RunFolder
from tests.approval.people import NOW
from tests.e2e.desk import deletes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.approval.people import People
    from tests.e2e.desk import Desk
    from tests.e2e.shell import Said

pytestmark = pytest.mark.usefixtures("denied")


@pytest.fixture
def denied(desk: Desk) -> None:
    desk.answer_with("access-denied", "DeleteArchive")


def applied(desk: Desk, people: People, *more: str, needed: int = 2) -> Said:
    named = ("--approvals", str(needed), "--allowed-signers", str(people.signers_file))
    return desk.ask("apply", str(desk.run_dir), *named, *more)


def approved(desk: Desk, people: People, who: str, *more: str, place: Path | None = None) -> Said:
    given = ("--key", str(people.key(who)), "--who", f"{who}@example", "--confirm-digest", desk.digest)
    return desk.ask("approve", str(place or desk.run_dir), *given, *more)


def both(desk: Desk, people: People) -> None:
    for who in ("anna", "bert"):
        assert approved(desk, people, who).exit_code == 0


def test_one_here_one_elsewhere_and_then_it_begins(desk: Desk, people: People) -> None:
    desk.have_planned()
    said = applied(desk, people)
    assert said.exit_code == 75
    assert "waiting for 2 people to approve the plan in" in said.err
    assert "Plan for vault photos" in said.err
    with desk.typing("photos 60\n"):
        given = ("--key", str(people.key("anna")), "--who", "anna@example")
        said = desk.ask("approve", str(desk.run_dir), *given, "--until", "3d", "--output", "json")
    assert said.exit_code == 0, said.err
    made = json.loads(said.out)
    assert (made["who"], made["digest"]) == ("anna@example", desk.digest)
    assert "Plan for vault photos" in said.err
    assert "About to sign that others delete 60 archives" in said.err
    said = applied(desk, people)
    assert said.exit_code == 75
    assert "1 of 2 approvals are there (anna@example)" in said.err
    copied, by_mail = desk.folder / "copy", desk.folder / "bert.approval"
    shutil.copytree(desk.run_dir, copied)
    before = sorted(copied.rglob("*"))
    assert approved(desk, people, "bert", "--to", str(by_mail), place=copied).exit_code == 0
    assert sorted(copied.rglob("*")) == before
    said = desk.ask("approve", str(desk.run_dir), "--hand-in", str(by_mail))
    assert said.exit_code == 0, said.err
    sent = deletes(desk.simulator)
    assert applied(desk, people).exit_code == 254
    assert deletes(desk.simulator) == sent + 1  # the first goes alone, and was denied


@pytest.mark.parametrize(
    ("typed", "told"),
    [("photos 6\n", "'photos 6' is not 'photos 60'"), ("\n", "is not 'photos 60'")],
    ids=["another number", "nothing"],
)
def test_nothing_is_signed_without_a_yes_to_what_was_shown(typed: str, told: str, desk: Desk, people: People) -> None:
    desk.have_planned()
    key = ("--key", str(people.key("anna")), "--who", "anna@example")
    with desk.typing(typed):
        said = desk.ask("approve", str(desk.run_dir), *key)
    assert (said.exit_code, told in said.err) == (2, True), said.err
    said = desk.ask("approve", str(desk.run_dir), *key, "--confirm-digest", "0" * 64)
    assert said.exit_code == 2
    assert "is not this plan's" in said.err
    assert not (desk.run_dir / "approvals").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --key FILE to approve, or --hand-in FILE"),
        (("--key", "{anna}", "--hand-in", "x"), "give --key FILE to approve, or --hand-in FILE"),
        (("--key", "{anna}"), "nothing here says whose ED25519 key"),
        (("--key", "{anna}", "--who", "an na"), "write the name as the file of allowed signers has it"),
        (("--key", "{anna}", "--who", "anna", "--until", "2020-01-01"), "an approval that has expired already"),
        (("--key", "{anna}", "--who", "anna", "--until", "soon"), "is neither an age like"),
        (("--key", "{anna}.gone", "--who", "anna"), "can't sign"),
        (("--hand-in", "{folder}/gone"), "can't be read as an approval"),
        (("--hand-in", "{anna}.pub"), "does not count: no approval"),
    ],
)
def test_what_makes_no_approval_is_said(arguments: tuple[str, ...], told: str, desk: Desk, people: People) -> None:
    desk.have_planned()
    filled = [one.format(anna=people.key("anna"), folder=desk.folder) for one in arguments]
    digest = () if "--hand-in" in arguments or not arguments else ("--confirm-digest", desk.digest)
    said = desk.ask("approve", str(desk.run_dir), *filled, *digest)
    assert (said.exit_code, told in said.err) == (2, True), said.err
    assert not (desk.run_dir / "approvals").exists()


def test_who_may_not_is_told_at_once_where_that_is_known(desk: Desk, people: People) -> None:
    desk.have_planned()
    desk.config.write_text(f'[approval]\napprovals = 2\nallowed_signers = "{people.signers_file}"\n')
    said = approved(desk, people, "mallory")
    assert said.exit_code == 2
    assert "the approval of mallory@example does not count: the allowed signers do not have" in said.err
    said = desk.ask(
        "approve", str(desk.run_dir), "--key", str(people.key("cara")), "--confirm-digest", desk.digest
    )  # whose key it is stands in the file
    assert said.exit_code == 0, said.err
    assert "cara@example" in said.out
    said = approved(desk, people, "cara")
    assert "repeated: cara@example has approved already, and counts once" in said.err
    said = desk.carry_out()
    assert said.exit_code == 75, said.err
    said = desk.purge_of("photos")
    assert said.exit_code == 2
    assert "one command can't plan and delete" in said.err


def test_what_was_used_may_expire_and_may_not_be_revoked(
    desk: Desk, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.have_planned()
    both(desk, people)
    revoked = desk.folder / "revoked"
    revoked.touch()
    assert applied(desk, people, "--revoked", str(revoked)).exit_code == 254
    shutil.rmtree(desk.run_dir / "approvals")  # the log has them
    monkeypatch.setattr(clock, "_read", (NOW + timedelta(days=40)).timestamp)
    assert desk.resume().exit_code == 254
    revoked.write_text(people.public("bert"))
    said = desk.resume()
    assert said.exit_code == 75
    assert "1 of 2 approvals are there (anna@example); the log's approval 2: RSA key" in said.err
    assert "was revoked, by" in said.err
    revoked.unlink()
    said = desk.resume()
    assert said.exit_code == 2
    assert "Nobody knows which keys count then" in said.err


def test_a_run_that_was_begun_takes_what_it_took_then(desk: Desk, people: People) -> None:
    desk.have_planned()
    both(desk, people)
    assert applied(desk, people).exit_code == 254
    assert desk.resume().exit_code == 254
    assert desk.carry_out().exit_code == 254  # a digest besides is no harm, and no approval
    said = applied(desk, people, needed=1)
    assert said.exit_code == 2
    assert "takes 2 approvals, and 1 are asked for now" in said.err
    said = approved(desk, people, "anna")
    assert "repeated" in said.err


def test_a_typed_run_takes_documents_once_they_are_wanted(desk: Desk, people: People) -> None:
    desk.have_begun()
    assert desk.resume().exit_code == 254
    assert applied(desk, people).exit_code == 75
    both(desk, people)
    assert applied(desk, people).exit_code == 254
    said = desk("audit", "verify", str(desk.run_dir))
    assert said.exit_code == 0, said.out


TAMPERED = {
    "a document": (
        "audit",
        rb"(who )anna(@example)",
        rb"\g<1>anne\2",
        "not the approval of this plan by 'anna@example'",
    ),
    "a signature": ("audit", rb"(SIGNATURE-----\\n[A-Za-z0-9+/]{40})[A-Z]", rb"\1/", "its signature does not hold"),
    "an end": ("audit", rb"until 20[0-9-]{8}T", rb"until 2099-01-01T", "its signature does not hold"),
    "the signers": ("audit", rb"bert@example", rb"mall@example", "its signature does not hold"),
    "how many": ("audit", rb'"needed":2', rb'"needed":1', ""),
    "how": ("audit", rb'"how":"signed"', rb'"how":"typed"', "approved by 'typed', and 2 people have to sign"),
    "who": (
        "audit",
        rb'("event":"approval".*?"who":")anna',
        rb"\1cara",
        "not the approval of this plan by 'cara@example'",
    ),
    "the key": ("audit", rb'("key":"ED25519 key SHA256:)..', rb"\1xx", "and not with 'SHA256:xx"),
    "the vault": ("audit", rb"(nvault arn:[^ ]*?vaults/)photos", rb"\1videos", "is of another vault or run"),
    "a file": ("approvals/*.approval", rb"kept 0", rb"kept 1", "not what was written: its name has another hash"),
    "their names": ("approvals/allowed_signers", rb"anna", rb"anne", "it should say"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_what_becomes_of_approvals_is_found_with_every_hash_right(case: str, desk: Desk, people: People) -> None:
    """By the package, and by the one file alone.

    How many had to sign is only the log's own word, where no lifecycle's terms say it: who rewrites all of a folder can
    have begun it otherwise, which shows against an anchor.
    """
    desk.have_planned()
    both(desk, people)
    assert applied(desk, people).exit_code == 254
    assert not any(found.faults for _, _, found in verification.verify_folder(desk.run_dir))
    place, old, new, told = TAMPERED[case]
    if place == "audit":
        rewritten(desk.run_dir, old, new)
    else:
        file = next(desk.run_dir.glob(place))
        file.write_bytes(changed(file.read_bytes(), old, new))
    verdicts = verification.verify_folder(desk.run_dir)
    faults = [fault for _, _, found in verdicts for fault in found.faults]
    assert [fault for fault in faults if told in fault.message] if told else not faults, faults
    alone = standalone(desk.run_dir)
    assert (alone.returncode, told in alone.stdout) == (4 if told else 0, True), alone.stdout


def test_without_openssh_the_one_file_says_that_it_did_not_look(desk: Desk, people: People) -> None:
    desk.have_planned()
    both(desk, people)
    assert applied(desk, people).exit_code == 254
    good = standalone(desk.run_dir)
    assert good.returncode == 0, good.stdout
    assert good.stdout.count("signed with") == 2
    blind = standalone(desk.run_dir, path=str(desk.folder))
    assert blind.returncode == 0, blind.stdout
    assert blind.stdout.count("signature not checked: ssh-keygen is not on this host") == 2
    rewritten(desk.run_dir, rb"until 20[0-9-]{8}T", rb"until 2099-01-01T")
    assert standalone(desk.run_dir).returncode == 4


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    result, number = re.subn(old, new, content, count=1, flags=re.DOTALL)
    assert number == 1
    assert result != content
    return result


def rewritten(run_dir: Path, old: bytes, new: bytes) -> None:
    """The log, changed and with every hash computed anew; nothing vouches for it any more."""
    log = run_dir / "audit" / "000001.jsonl"
    lines, prev = changed(log.read_bytes(), old, new).splitlines(keepends=True), read_plan(run_dir / "plan.json").digest
    for at, line in enumerate(lines):
        lines[at] = line[:-67] + prev.encode() + line[-3:]
        prev = hashlib.sha256(lines[at]).hexdigest()
    log.write_bytes(b"".join(lines))
    for name in ("checkpoint", "checkpoint.previous"):
        (run_dir / name).unlink(missing_ok=True)


def standalone(run_dir: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """The verifier as an auditor has it: one file, and Python."""
    environment = {"PATH": path or os.environ["PATH"]}
    command = [sys.executable, "-I", str(verification.__file__), str(run_dir)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_plan_is_signed_by_who_made_it_and_approved_by_others(desk: Desk, people: People) -> None:
    assert desk.plan_of("photos").exit_code == 0
    said = applied(desk, people, "--not-the-planner", needed=1)
    assert said.exit_code == 2
    assert "nobody signed the one in" in said.err
    assert "Plan again with --sign-key" in said.err
    shutil.rmtree(desk.run_dir)
    said = desk.plan_of("photos", "--sign-key", f"{people.key('anna')}.gone")
    assert (said.exit_code, desk.run_dir.exists()) == (2, False)
    assert desk.plan_of("photos", "--sign-key", str(people.key("anna"))).exit_code == 0
    desk.digest = read_plan(desk.run_dir / "plan.json").digest
    assert approved(desk, people, "anna").exit_code == 0
    said = applied(desk, people, "--not-the-planner", needed=1)
    assert said.exit_code == 75
    assert "anna@example made the plan, and nobody approves their own here" in said.err
    assert approved(desk, people, "bert").exit_code == 0
    assert applied(desk, people, "--not-the-planner", needed=1).exit_code == 254
    assert standalone(desk.run_dir).returncode == 0
    signed_plan = desk.run_dir / "plan.signed"
    signed_plan.write_bytes(changed(signed_plan.read_bytes(), rb"at 20", rb"at 19"))
    found = standalone(desk.run_dir)
    assert found.returncode == 4
    assert "plan.signed, byte 0: changed: not what it was when the run was approved" in found.stdout


def test_an_approval_is_of_one_folder(desk: Desk, people: People) -> None:
    desk.have_planned()
    content = people.approval(RunFolder(desk.run_dir), read_plan(desk.run_dir / "plan.json"), "anna")
    (desk.folder / "anna").write_bytes(content)
    shutil.rmtree(desk.run_dir)
    assert desk.plan_of("photos").exit_code == 0
    said = desk.ask("approve", str(desk.run_dir), "--hand-in", str(desk.folder / "anna"))
    assert said.exit_code == 2
    assert "it is of another run: the same plan, made at another time or in another folder" in said.err
