"""``approve``: say yes to a plan with a key of one's own, here or elsewhere, or hand in what somebody signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.cli.options import AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, as_text, print_page, print_result
from glacier_purge.errors import NobodyToAsk, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from glacier_purge.api.approving import PlanToApprove
    from glacier_purge.audit.verification import Statement
    from glacier_purge.report.plan_view import PlanView


def approve(
    run_dir: Path,
    *,
    key: Path | None = None,
    who: str | None = None,
    until: str | None = None,
    confirm_digest: str | None = None,
    to: Path | None = None,
    hand_in: Path | None = None,
    source: SettingsSource = SettingsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Approve a plan by a document that is signed with an SSH key. Shows the whole plan before; deletes nothing.

    For plans that several people have to approve (--approvals of `run`, `fleet` and `apply`). It asks for the vault's
    name and the number of archives on a terminal; elsewhere --confirm-digest has to quote the plan's digest. The
    document lies in the folder's approvals/, or in the file that --to names, as on a copy of the folder on one's own
    machine; there, and by mail, it is as good. Whoever carries it can change nothing in it.

    Parameters
    ----------
    run_dir
        The folder of a run (`plan`), or of a lifecycle (`run`) whose round waits for an approval.
    key
        SSH key to sign with: a private key without a passphrase, or the .pub of one that an agent has.
    who
        One's name in the file of allowed signers. Needed where nothing in the folder says whose the key is.
    until
        When the approval expires: 12h, 7d (the default), or a moment like 2026-12-24T18:00:00Z.
    confirm_digest
        Digest of the plan that is approved, all 64 characters.
    to
        File to make for the document, instead of the folder.
    hand_in
        Take the document that somebody else made in this file, look whether it counts, and put it into the folder.

    Examples
    --------
    glacier-purge approve photos-run --key ~/.ssh/id.pub --who anna@example
    # On a copy of the folder, elsewhere; and then where it is carried out.
    glacier-purge approve a-copy --key my-key --who bert@example --to mine
    glacier-purge approve photos-run --hand-in mine
    """
    from glacier_purge.api.approving import to_approve
    from glacier_purge.cli.logs import configure_logs
    from glacier_purge.plan.files import check_plan_files
    from glacier_purge.report.plan_shown import to_be_approved
    from glacier_purge.report.plan_view import PlanView
    from glacier_purge.storage.folder import RunFolder

    configure_logs(logs)
    if (key is None) == (hand_in is None) or (hand_in is not None and to is not None):
        raise UsageError(
            "give --key FILE to approve, or --hand-in FILE with what somebody signed. Nothing was written."
        )
    settings = source.load(AwsOptions())
    folder = RunFolder.look(run_dir) if to is not None else RunFolder.open(run_dir)
    place, plan = to_be_approved(folder)
    waiting = to_approve(place, plan, settings)
    if key is None:
        assert hand_in is not None, "one of the two was given"
        statement = waiting.checked(approval_in(hand_in))
    else:
        check_plan_files(place.path, plan)
        _confirm(PlanView.of(place, plan, settings), confirm_digest)
        statement = waiting.made(key, who, None if until is None else _moment(until))
    _tell(waiting, statement, _kept(waiting, statement, to), output)
    return 0


def _confirm(view: PlanView, confirm_digest: str | None) -> None:
    """Show the plan and get the yes to it, which is signed then."""
    import sys

    from glacier_purge.approval.typed import approve_by_digest, approve_by_words
    from glacier_purge.cli.confirmation import ask, put_before
    from glacier_purge.run.host import who

    plan = view.plan
    put_before(view)
    if confirm_digest is not None:
        approve_by_digest(plan, confirm_digest, who())
        return
    if not sys.stdin.isatty():
        raise NobodyToAsk(
            "a plan is approved by who has seen it, and there is no terminal to ask on. Nothing was signed. If the "
            f"plan above is what you want, give --confirm-digest {plan.digest}, too."
        )
    ask(plan, "sign")
    approve_by_words(plan, sys.stdin.readline(), who())


def _moment(until: str) -> datetime:
    """When an approval expires, by a span from now or by a date. Raises ``UsageError``."""
    from datetime import timedelta

    from glacier_purge.clock import utc_now
    from glacier_purge.plan.choices import cut_off, span_seconds

    try:
        return utc_now() + timedelta(seconds=span_seconds(until, "--until"))
    except UsageError:
        return cut_off(until, utc_now(), "--until")
    except OverflowError:
        raise UsageError(f"--until {until} reaches beyond the calendar. Give a nearer end.") from None


def approval_in(file: Path) -> bytes:
    """What somebody signed, as a file has it. Raises ``UsageError`` where it can't be read."""
    from glacier_purge.storage.given_file import GivenFileWrong, read_given

    try:
        return read_given(file)
    except GivenFileWrong as wrong:
        raise UsageError(f"{file} can't be read as an approval: {wrong}. Nothing was written.") from wrong


def _kept(waiting: PlanToApprove, statement: Statement, to: Path | None) -> Path:
    """Put the document where it is to be. Raises ``UsageError`` where a file of that name is."""
    from glacier_purge.approval.documents import put_approval
    from glacier_purge.storage.new_file import new_text_file

    if to is None:
        return put_approval(waiting.folder, statement)
    with new_text_file(to) as file:
        file.write(statement.content.decode("ascii"))
    return to


def _tell(waiting: PlanToApprove, statement: Statement, file: Path, output: OutputFormat) -> None:
    import msgspec

    from glacier_purge.report.results.approving import ApprovalMade
    from glacier_purge.storage.ssh_signature import key_of

    judged = waiting.judged()
    made = ApprovalMade(
        who=statement.who,
        key=key_of(statement.text, statement.signature, "glacier-purge-approval"),
        digest=statement.plan,
        at=statement.at,
        until=statement.until or "",
        needed=judged.needed or None,
        approved_by=[one.who for one in judged.approved],
        refused=[f"{one.name}: {one.why}" for one in judged.refused],
        file=str(file),
        run_dir=str(waiting.folder.path),
    )
    if output is OutputFormat.JSON:
        print_result(made, output)
        return
    print_page(as_text(msgspec.to_builtins(made)))
