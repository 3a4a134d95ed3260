"""Every document that approves nothing, and the words in which that is said. With any of them nothing is approved."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.approval.documents import SIGNED_PLAN_FILE, SIGNERS_FILE, SUFFIX, Wanted, of_log, put_approval
from glacier_purge.approval.judging import Brought, Judged, judge
from glacier_purge.approval.signers import Approvers, approvers, asks_the_same
from glacier_purge.approval.statement import NAMESPACES, as_name, making_of, signed
from glacier_purge.audit.ledger import Ledger
from glacier_purge.audit.record import make_note
from glacier_purge.audit.recovery import replay
from glacier_purge.audit.verification import NotToBeChecked, read_statement
from glacier_purge.errors import ApprovalWanted, PlanRefused, UsageError
from glacier_purge.plan.identity import hashed_identity
from glacier_purge.replica.places import is_kept
from glacier_purge.storage.folder import APPROVALS_FOLDER, RunFolder
from glacier_purge.storage.ssh_signature import sign
from tests.approval.people import NOW, People
from tests.e2e.claimed import planned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.plan.document import Plan


@dataclass(frozen=True)
class Desk:
    """A plan that waits for two of three people, and what somebody brings."""

    people: People
    folder: RunFolder
    plan: Plan
    tmp: Path

    def by(self, who: str, **more: object) -> bytes:
        return self.people.approval(self.folder, self.plan, who, **more)  # type: ignore[arg-type]  # by name

    def put(self, content: bytes, name: str = f"brought{SUFFIX}") -> Path:
        self.folder.make_folder(APPROVALS_FOLDER)
        file = self.folder.path / APPROVALS_FOLDER / name
        file.write_bytes(content)
        file.chmod(0o600)
        return file

    def wanted(self, asked: Approvers) -> Wanted:
        return Wanted(approvers=asked, folder=self.folder, plan=self.plan, ledger=replay(self.folder.path))


@pytest.fixture
def desk(tmp_path: Path, people: People) -> Desk:
    folder, plan = planned(tmp_path / "run")
    return Desk(people, folder, plan, tmp_path)


def _another_run(desk: Desk) -> bytes:
    """The same plan, made once more: its digest is the same."""
    folder, plan = planned(desk.tmp / "again")
    assert plan.digest == desk.plan.digest
    assert hashed_identity(folder, plan)[1] != hashed_identity(desk.folder, desk.plan)[1]
    return desk.people.approval(folder, plan, "anna")


def _of_another_plan(desk: Desk) -> bytes:
    folder, plan = planned(desk.tmp / "other", description="another film")
    return desk.people.approval(folder, plan, "anna")


def _as_planner(desk: Desk) -> bytes:
    text = making_of(desk.plan, hashed_identity(desk.folder, desk.plan)[1], "anna@example", at=NOW)
    return text + b"\n" + sign(text, desk.people.key("anna"), NAMESPACES["plan"])


def _changed(desk: Desk, old: bytes, new: bytes) -> bytes:
    content = desk.by("anna")
    assert old in content
    return content.replace(old, new, 1)


def _line(desk: Desk, name: str) -> str:
    return next(line for line in desk.by("anna").decode().splitlines() if line.startswith(f"{name} "))


def _unsigned(desk: Desk) -> bytes:
    return desk.by("anna").partition(b"\n\n")[0] + b"\n\n"


def _signature_of_bert(desk: Desk) -> bytes:
    return _unsigned(desk) + desk.by("bert").partition(b"\n\n")[2]


def _cut(desk: Desk) -> bytes:
    content = desk.by("anna")
    return content[: len(content) - 60]


def _flipped(desk: Desk) -> bytes:
    head, middle, rest = desk.by("anna").partition(b"-----BEGIN SSH SIGNATURE-----\n")
    lines = rest.splitlines(keepends=True)
    lines[-2] = lines[-2].swapcase()
    return head + middle + b"".join(lines)


_DAY = timedelta(days=1)
BROUGHT: dict[str, tuple[Callable[[Desk], bytes], str]] = {
    "another plan's": (_of_another_plan, "it is of another plan"),
    "another digest": (
        lambda desk: desk.by("anna", old=_line(desk, "plan"), new="plan " + "0" * 64),
        "it is of another plan, 0000000000000000",
    ),
    "another vault's": (
        lambda desk: desk.by("anna", old=":vaults/photos", new=":vaults/films"),
        "it is of another vault, arn:aws:glacier:us-east-1:123456789012:vaults/films",
    ),
    "another account's": (
        lambda desk: desk.by("anna", old="123456789012", new="210987654321"),
        "it is of another vault",
    ),
    "another region's": (lambda desk: desk.by("anna", old="us-east-1", new="us-west-2"), "it is of another vault"),
    "another run's": (_another_run, "it is of another run: the same plan, made at another time"),
    "another count": (
        lambda desk: desk.by("anna", old="archives 60", new="archives 6"),
        "it speaks of 6 archives, and the plan has 60",
    ),
    "other bytes": (lambda desk: desk.by("anna", old="bytes 6", new="bytes 7"), "it speaks of 60 archives"),
    "expired": (lambda desk: desk.by("anna", at=NOW - 2 * _DAY, until=NOW - _DAY), "it expired at "),
    "expired this second": (lambda desk: desk.by("anna", at=NOW - _DAY, until=NOW), "it expired at "),
    "not valid yet": (lambda desk: desk.by("anna", at=NOW + _DAY, until=NOW + 2 * _DAY), "it is not valid yet"),
    "ends before it begins": (lambda desk: desk.by("anna", until=NOW - _DAY), "it ends at .*, before it begins"),
    "without an end": (
        lambda desk: desk.by("anna", old=_line(desk, "until") + "\n", new=""),
        "it does not say until when it holds",
    ),
    "no moment": (
        lambda desk: desk.by("anna", old=_line(desk, "until"), new="until 2026-99-99T00:00:00Z"),
        "a moment in it is none",
    ),
    "unknown": (lambda desk: desk.by("mallory"), "the allowed signers do not have ED25519 key .* as mallory@example's"),
    "in another's name": (
        lambda desk: desk.by("mallory", name="anna@example"),
        "the allowed signers do not have ED25519 key .* as anna@example's",
    ),
    "with a colleague's key": (
        lambda desk: desk.by("bert", name="anna@example"),
        "the allowed signers do not have RSA key .* as anna@example's",
    ),
    "a name with another end": (lambda desk: desk.by("anna", name="anna@example.org"), "the allowed signers do not"),
    "a pattern for a name": (lambda desk: desk.by("anna", name="*"), "the allowed signers do not have"),
    "an option for a name": (lambda desk: desk.by("anna", name="-f"), "the allowed signers do not have"),
    "signed for another purpose": (lambda desk: desk.by("anna", namespace="git"), "it was signed for another purpose"),
    "signed as an anchor": (
        lambda desk: desk.by("anna", namespace="glacier-purge-anchor"),
        "it was signed for another purpose",
    ),
    "who made the plan": (_as_planner, "it says who made the plan, and approves nothing"),
    "unsigned": (_unsigned, "nobody signed it"),
    "another's signature": (_signature_of_bert, "its signature is damaged, or over other words: it was changed"),
    "a later end, written in": (
        lambda desk: _changed(desk, _line(desk, "until").encode(), b"until 2099-01-01T00:00:00Z"),
        "its signature is damaged, or over other words: it was changed",
    ),
    "a flipped signature": (_flipped, "its signature is damaged, or over other words"),
    "cut off": (_cut, "no approval: it is not as one was written"),
    "a line more": (lambda desk: _changed(desk, b"\nwho ", b"\nnote all of it\nwho "), "no approval"),
    "Windows' line ends": (
        lambda desk: desk.by("anna").replace(b"\n", b"\r\n"),
        "no approval: its line ends were converted",
    ),
    "a later format": (
        lambda desk: desk.by("anna", old="approval 1", new="approval 2"),
        "it has format 2, and format 1 is what is known here",
    ),
    "empty": (lambda _: b"", "no approval"),
    "a web page": (lambda _: b"<html>sign in</html>", "no approval"),
    "too large": (lambda desk: desk.by("anna") + b"\n" * (1 << 16), "it has more than 65,536 bytes"),
    "two at once": (lambda desk: desk.by("anna") + desk.by("bert"), "no approval"),
}


@pytest.mark.parametrize("case", BROUGHT)
def test_what_approves_nothing_is_said(case: str, desk: Desk) -> None:
    content, why = BROUGHT[case]
    wanted = desk.wanted(desk.people.approvers())
    desk.put(content(desk))
    judged = wanted.judged(NOW)
    assert judged.approved == ()
    [refused] = judged.refused
    assert refused.name == f"brought{SUFFIX}"
    with pytest.raises(
        ApprovalWanted, match=f"2 people to approve .* 0 of 2 approvals are there; brought.approval: {why}"
    ):
        wanted.approval(judged)


def test_with_each_of_them_beside_those_of_two_people_the_plan_is_approved(desk: Desk) -> None:
    """What nobody may is no reason to keep others from it."""
    for number, (content, _) in enumerate(BROUGHT.values()):
        desk.put(content(desk), f"a{number}{SUFFIX}")
    desk.put(desk.by("bert"), f"bert{SUFFIX}")
    desk.put(desk.by("cara"), f"cara{SUFFIX}")
    wanted = desk.wanted(desk.people.approvers())
    judged = wanted.judged(NOW)
    assert (judged.by, len(judged.refused)) == ("bert@example, cara@example", len(BROUGHT))
    approval = wanted.approval(judged)
    assert (approval.digest, approval.how, approval.by) == (desk.plan.digest, "signed", judged.by)
    assert [event for event, _ in approval.notes] == ["approvers", "approval", "approval"]


SIGNERS: dict[str, tuple[Callable[[People], str], str]] = {
    "a key that has expired": (
        lambda people: people.line("anna", 'valid-before="20200101"') + people.line("bert"),
        r"anna@example's \(line 1: key has expired",
    ),
    "a key that is not valid yet": (
        lambda people: people.line("bert") + people.line("anna", 'valid-after="20990101"'),
        r"anna@example's \(line 2: key is not yet valid",
    ),
    "a key for another purpose": (
        lambda people: people.line("anna", 'namespaces="git"') + people.line("bert"),
        r"anna@example's \(line 1: key is not permitted for use in signature namespace",
    ),
}


@pytest.mark.parametrize("case", SIGNERS)
def test_what_the_allowed_signers_say_of_a_key_holds(case: str, desk: Desk) -> None:
    text, why = SIGNERS[case]
    desk.put(desk.by("anna"))
    wanted = desk.wanted(desk.people.approvers(2, text(desk.people)))
    with pytest.raises(ApprovalWanted, match=why):
        wanted.approval(wanted.judged(NOW))


def test_one_person_counts_once(desk: Desk) -> None:
    people, first = desk.people, desk.by("anna")
    two_keys = f"anna@example,a.nna@example {people.public('anna')}\nanna@example {people.public('anna-too')}\n"
    two_names = people.line("bert") + f"anna@example {people.public('anna')}\nberta@example {people.public('anna')}\n"
    for text, second in [
        (people.signers, desk.by("anna")),
        (people.signers, desk.by("anna", until=NOW + 2 * _DAY)),
        (two_keys + people.line("bert"), desk.by("anna", key="anna-too")),
        (two_keys + people.line("bert"), desk.by("anna", name="a.nna@example", at=NOW - _DAY)),
        (two_names, desk.by("anna", name="berta@example")),
    ]:
        desk.put(first, f"1{SUFFIX}")
        desk.put(second, f"2{SUFFIX}")
        wanted = desk.wanted(people.approvers(2, text))
        with pytest.raises(ApprovalWanted, match=r"one person to .* 1 of 2 .*: repeated: anna@example has approved"):
            wanted.approval(wanted.judged(NOW))


@pytest.mark.parametrize("form", ["a list of keys", "OpenSSH's own"])
def test_a_revoked_key_counts_no_more(form: str, desk: Desk) -> None:
    people, revoked = desk.people, desk.tmp / "revoked"
    if form == "a list of keys":
        revoked.write_text(f"# who left\n{people.public('anna')} anna\n", "ascii")
    else:
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(revoked), f"{people.key('anna')}.pub"], check=True)
    desk.put(desk.by("anna"), f"1{SUFFIX}")
    desk.put(desk.by("bert"), f"2{SUFFIX}")
    wanted = desk.wanted(people.approvers(revoked=(str(revoked),)))
    with pytest.raises(
        ApprovalWanted, match=r"1 of 2 approvals are there \(bert@example\); 1.*was revoked, by .*revoked"
    ):
        wanted.approval(wanted.judged(NOW))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't be read: No such file"),
        (b"anna\n", "line 1, is no public key"),
        (b"SSHKRL\n\0cut", "is damaged"),
    ],
    ids=["gone", "no keys", "cut"],
)
def test_nothing_is_approved_while_nobody_knows_what_is_revoked(content: bytes | None, why: str, desk: Desk) -> None:
    revoked = desk.tmp / "revoked"
    if content is not None:
        revoked.write_bytes(content)
    desk.put(desk.by("anna"), f"1{SUFFIX}")
    desk.put(desk.by("bert"), f"2{SUFFIX}")
    with pytest.raises(UsageError, match=f"{why}.*nothing was sent"):
        desk.wanted(desk.people.approvers(revoked=(str(revoked),))).judged(NOW)


def _as_link(file: Path) -> None:
    file.rename(file.with_name("real"))
    file.symlink_to("real")


def _as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _as_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_as_link, "is a symbolic link, a pipe or something else"),
        (lambda file: file.chmod(0o666), "can be written by other users"),
        (lambda file: os.link(file, file.with_name("another")), "has 2 names"),
        (_as_folder, "is a symbolic link, a pipe or something else"),
        (_as_pipe, "is a symbolic link, a pipe or something else"),
        pytest.param(
            lambda file: os.chown(file, 12345, -1),
            "belongs to 12345 and not to",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"),
        ),
    ],
    ids=["a link", "others write", "two names", "a folder", "a pipe", "another user's"],
)
def test_a_file_in_which_others_have_a_hand_is_not_read(spoil: Callable[[Path], None], why: str, desk: Desk) -> None:
    spoil(desk.put(desk.by("anna")))
    wanted = desk.wanted(desk.people.approvers())
    with pytest.raises(ApprovalWanted, match=f"0 of 2 approvals are there; brought.approval: {why}"):
        wanted.approval(wanted.judged(NOW))


def test_a_certificate_of_an_authority_counts_for_whom_it_names_and_no_longer_than_it_says(desk: Desk) -> None:
    people = desk.people
    text = people.line("anna") + f"*@example cert-authority {people.public('authority')}\n"
    good = people.certified("dora", "dora@example")
    old = people.certified("dora", "dora@example", "-V", "20200101:20200102")
    for key, who, why in [
        (good, "dora", ""),
        (good, "emil", "certificate not authorized: Certificate invalid: name is not a listed principal"),
        (old, "dora", "certificate not authorized: Certificate invalid: expired"),
        (people.key("dora"), "dora", "the allowed signers do not have ED25519 key"),
    ]:
        desk.put(desk.by(who, key=key))
        judged = desk.wanted(people.approvers(2, text)).judged(NOW)
        assert [one.who for one in judged.approved] == ([] if why else ["dora@example"]), judged
        assert why in judged.sentence()


def test_an_agent_signs_for_a_person(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    people = desk.people
    socket = desk.tmp / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert agent.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", str(people.key("cara"))], check=True)
        public = desk.tmp / "cara.pub"
        shutil.copy(f"{people.key('cara')}.pub", public)
        desk.put(desk.by("cara", key=public))
    finally:
        agent.terminate()
        agent.wait()
    assert desk.wanted(people.approvers(1)).judged(NOW).by == "cara@example"


def test_nobody_approves_the_plan_they_made(desk: Desk) -> None:
    people = desk.people
    wanted = desk.wanted(people.approvers(1, not_the_planner=True))
    desk.put(desk.by("anna"))
    with pytest.raises(PlanRefused, match=r"nobody signed the one in .* Plan again with --sign-key"):
        wanted.judged(NOW)
    (desk.folder.path / "plan.signed").write_bytes(_as_planner(desk))
    with pytest.raises(ApprovalWanted, match="anna@example made the plan, and nobody approves their own here"):
        wanted.approval(wanted.judged(NOW))
    desk.put(desk.by("bert"), f"2{SUFFIX}")
    assert wanted.approval(wanted.judged(NOW)).by == "bert@example"
    text = making_of(desk.plan, hashed_identity(desk.folder, desk.plan)[1], "anna@example", at=NOW)
    for content, why in [
        (text + b"\n" + sign(text, people.key("mallory"), NAMESPACES["plan"]), "nobody's of the allowed signers"),
        (text + b"\n" + sign(text, people.key("anna"), NAMESPACES["approval"]), "does not show who made the plan"),
        (text + b"\n", "does not show who made the plan: nobody signed it"),
        (desk.by("anna"), "it says something else than who made the plan"),
        (b"anna", "can't be believed: no approval"),
    ]:
        (desk.folder.path / "plan.signed").write_bytes(content)
        with pytest.raises(PlanRefused, match=why):
            wanted.judged(NOW)


@pytest.mark.parametrize(
    ("needed", "text", "why"),
    [
        (2, "anna", "line 1 is none of allowed signers"),
        (1, "", "names nobody"),
        (1, "# nobody\n", "names nobody"),
        (4, "{signers}", "4 approvals are wanted, and signers names 3 people"),
        (2, "anna@example,a@example {anna}\na@example {bert}\n", "signers names one person"),
        (2, "anna@example {anna}\nbert@example {anna}\n", "signers names one person"),
        (1, "*@example {anna}\n", "is a pattern"),
        (1, "anna@example,!mallory {anna}\n", "!mallory is a pattern"),
        (1, "anna@example ssh-ed25519 AAAAC3\n", "its key is cut off or changed"),
        (1, '"anna b" {anna}\n', "line 1 is none of allowed signers"),
        (1, "{signers}" + "#" * (1 << 16), "has more than 65,536 bytes"),
    ],
)
def test_allowed_signers_that_name_too_few_or_anybody_are_refused(
    needed: int, text: str, why: str, people: People
) -> None:
    text = text.format(signers=people.signers, anna=people.public("anna"), bert=people.public("bert"))
    with pytest.raises(UsageError, match=why.replace("*", r"\*")):
        approvers(needed, text.encode(), called="signers")
    with pytest.raises(UsageError, match="no text in UTF-8"):
        approvers(1, b"\xff\xfe", called="signers")


def test_what_counted_before_counts_when_it_has_expired_and_not_for_another_run(desk: Desk) -> None:
    """Judged alone, as what the log of a process before this one has."""
    asked, run_sha256 = desk.people.approvers(), hashed_identity(desk.folder, desk.plan)[1]
    content, used = desk.by("anna", at=NOW - 3 * _DAY, until=NOW - _DAY), NOW - 2 * _DAY

    def judged(content: bytes, when: datetime | None, run: str = run_sha256) -> Judged:
        brought = [Brought(name="one", content=content, used=when)]
        return judge(asked, desk.plan, run, brought, NOW, lambda statement, at: f"{statement.who} at {at}")

    assert [(one.who, one.counted, one.is_new) for one in judged(content, used).approved] == [
        ("anna@example", used, False)
    ]
    assert judged(content, None).refused[0].why.startswith("it expired at")
    assert judged(content, used, "0" * 64).refused[0].why.startswith("it is of another run")


def test_a_statement_has_names_that_can_stand_in_a_line(desk: Desk) -> None:
    assert [as_name(text) for text in ("me@here", "J. D\n\u00e9", "", "x" * 300)] == [
        "me@here",
        "J._D__",
        "_",
        "x" * 200,
    ]
    content = desk.by("anna")
    text, _, signature = content.partition(b"\n\n")
    assert signed(text + b"\n", signature) == read_statement(content)
    assert signed(text + b"\n", signature).content == content
    with pytest.raises(NotToBeChecked):
        signed(text.replace(b"anna", b"an na") + b"\n", signature)


@pytest.mark.parametrize("more", [{"needed": 3}, {"not_the_planner": True}])
def test_another_number_or_rule_is_another_wish_and_other_people_are_not(
    more: dict[str, object], people: People
) -> None:
    settled = people.approvers()
    assert asks_the_same(settled, people.approvers(2, people.signers + people.line("mallory")))
    assert not asks_the_same(settled, msgspec.structs.replace(settled, **more))


def test_a_log_that_says_what_no_log_says_is_refused(desk: Desk) -> None:
    log = {
        "needed": 2,
        "allowed_signers": desk.people.signers,
        "not_the_planner": False,
        "revoked": [],
        "planner": None,
    }
    for wrong in ({"needed": 0}, {"allowed_signers": "anna"}, {"revoked": [1]}):
        ledger = Ledger(1)
        ledger.apply([make_note("approvers", log | wrong)], ts="2026-11-22T15:14:03.123Z", epoch=1)
        with pytest.raises(PlanRefused, match="record of who may approve is not as one is written"):
            of_log(ledger)


def test_what_was_made_is_put_once_and_by_its_hash(desk: Desk) -> None:
    statement = read_statement(desk.by("anna"))
    first, second = put_approval(desk.folder, statement), put_approval(desk.folder, statement)
    assert first == second
    for name in (first.name, SIGNERS_FILE):
        assert is_kept(f"round-1/{APPROVALS_FOLDER}/{name}")
    assert is_kept(SIGNED_PLAN_FILE)
    assert msgspec.structs.asdict(desk.people.approvers())["revoked"] == ()
    assert desk.wanted(desk.people.approvers(1)).judged(NOW).by == "anna@example"
