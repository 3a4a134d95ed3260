"""``audit verify`` and ``audit export``: prove what a run did, and hand it to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from glacier_purge.cli.listing import ListForm
from glacier_purge.cli.options import Hyphened, LogOptions, Logs, Output
from glacier_purge.cli.output import OutputFormat, as_text, print_page, print_result, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glacier_purge.audit.verification import FolderVerdict
    from glacier_purge.report.results.auditing import Audited

_FAULTS_SHOWN = 10


def verify(
    run_dir: Path,
    *,
    anchor: Hyphened | None = None,
    allowed_signers: Path | None = None,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Check every file of a run's, a lifecycle's or a fleet's folder; name each that is not as it was written.

    The same check runs without this program: copy glacier_purge/audit/verification.py and run it with python3.

    Parameters
    ----------
    run_dir
        The folder of a run, of a lifecycle with its rounds, or of a fleet with its members.
    anchor
        What was kept elsewhere: SEQ:HASH printed by an earlier check of this run, or a file of anchors (--anchor-file,
        `audit anchor`). It shows a log that was rewritten, replaced or cut back since.
    allowed_signers
        File of who may sign anchors, as ssh-keygen reads it (NAME KEY-TYPE KEY). Every anchor has to be signed by one.

    Examples
    --------
    glacier-purge audit verify photos-run
    # Held against what was kept elsewhere, signed by one of these.
    glacier-purge audit verify photos-run --anchor heads --allowed-signers signers
    """
    from glacier_purge.api.anchoring import kept_anchors
    from glacier_purge.audit.checking import check_watched
    from glacier_purge.audit.verification import NotToBeChecked, verify_folder
    from glacier_purge.errors import UsageError
    from glacier_purge.report.results.auditing import AllAudited
    from glacier_purge.report.results.result import UNSET

    if anchor is None and allowed_signers is not None:
        raise UsageError("--allowed-signers says who may sign anchors. Give --anchor FILE, too.")
    kept, notes, signers = (None, [], []) if anchor is None else kept_anchors(anchor, allowed_signers)
    if allowed_signers is None and any(note.signature for note in notes):
        tell(f"the anchors in {anchor} are signed, and nobody looked by whom: give --allowed-signers FILE", "warning")
    try:
        with check_watched(run_dir):
            verdicts = verify_folder(run_dir, anchor=kept, notes=notes)
    except NotToBeChecked as refused:
        raise UsageError(f"{refused}. Nothing was checked.") from refused
    if output is OutputFormat.TEXT:
        for verdict in verdicts:
            name = {"folder": verdict.name} if len(verdicts) > 1 else {}
            print_page(as_text(name | _told(_audited(verdict, run_dir / verdict.name))))
        for signer in signers:
            print_page(as_text({"anchor signed by": signer}))
    elif len(verdicts) == 1:
        print_result(_audited(verdicts[0], run_dir, signers), output)
    else:
        folders = [_audited(verdict, run_dir / verdict.name) for verdict in verdicts]
        answer = AllAudited(
            verdict=_worst(verdicts), folders=folders, anchors_signed_by=signers or UNSET, run_dir=str(run_dir)
        )
        print_result(answer, output)
    return max(verdict.found.exit_code for verdict in verdicts)


def anchor(
    run_dir: Path,
    *,
    to: Path,
    sign_key: str | None = None,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Check a folder, and keep the heads of its logs in a file of anchors, signed if there is a key.

    Who has the file can tell later, with `audit verify --anchor`, that a log was rewritten, replaced or cut back. The
    file is text; give it to somebody, or keep it where whoever can write the folder cannot.

    Parameters
    ----------
    run_dir
        The folder of a run, of a lifecycle with its rounds, or of a fleet with its members.
    to
        File of anchors: a new one, or one in which the anchors of these logs are renewed.
    sign_key
        SSH key to sign with: a private key without a passphrase, or the .pub of one that an agent has.

    Examples
    --------
    glacier-purge audit anchor photos-run --to photos.anchors
    glacier-purge audit anchor photos-run --to heads --sign-key ~/.ssh/id.pub
    """
    from glacier_purge.api.anchoring import heads, sound_folder
    from glacier_purge.audit.anchor import NAMESPACE
    from glacier_purge.clock import utc_now
    from glacier_purge.errors import UsageError
    from glacier_purge.report.results.auditing import Anchored
    from glacier_purge.report.results.result import UNSET
    from glacier_purge.run.anchor_file import AnchorFile
    from glacier_purge.storage.ssh_signature import key_of

    file = AnchorFile(to, None if sign_key is None else Path(sign_key).expanduser())
    file.check()
    found = heads(sound_folder(run_dir), utc_now())
    if not found:
        raise UsageError(f"{run_dir} has no log yet, so there is nothing to keep of it.")
    try:
        notes = [file.put(head) for head in found]
    except OSError as error:
        raise UsageError(f"{to} can't be written: {error.strerror}. Give another file.") from error
    anchored = Anchored(
        logs=len(notes),
        records=sum(note.seq + 1 for note in notes),
        signed_with=UNSET if sign_key is None else key_of(notes[0].text, notes[0].signature, NAMESPACE),
        file=str(to),
        run_dir=str(run_dir),
    )
    print_result(anchored, output)
    return 0


def bundle(
    run_dir: Path,
    *,
    to: Path,
    sign_key: str | None = None,
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> int:
    """Write one zip file for an auditor, who checks it with Python alone: its README.txt says how.

    Plan, approvals, log, certificate and steps are in it, of a run, of a lifecycle with its rounds, of a fleet or of a
    script's log; a verifier, the format, and sums of all. Inventories are in it by their hashes alone. The folder is
    checked first, and a damaged one is not handed on.

    Parameters
    ----------
    run_dir
        The folder of a run, of a lifecycle with its rounds, of a fleet with its members, or of a script's log.
    to
        The zip file to make. Its README.txt says what is in it and how to check it.
    sign_key
        SSH key to sign the heads of the logs with: a private key without a passphrase, or the .pub of one that an agent
        has.

    Examples
    --------
    glacier-purge audit bundle photos-run --to photos-proof.zip
    """
    from glacier_purge.api.bundling import bundled

    key = None if sign_key is None else Path(sign_key).expanduser()
    print_result(bundled(run_dir, to, key), output)
    return 0


def _audited(verdict: FolderVerdict, place: Path, signers: Sequence[str] = ()) -> Audited:
    from glacier_purge.report.results.auditing import Audited
    from glacier_purge.report.results.result import UNSET

    found = verdict.found
    return Audited(
        verdict=_worst([verdict]),
        of=verdict.what,
        finished=found.finished,
        lines=found.records,
        **found.counts,
        faults=len(found.faults),
        notices=len(found.notices),
        anchor=found.anchor,
        anchors_signed_by=list(signers) or UNSET,
        run_dir=str(place),
        fault_list=[str(fault) for fault in found.faults],
        notice_list=list(found.notices),
    )


def _told(audited: Audited) -> dict[str, object]:
    """The verdict for people: the first of what is wrong, a line each."""
    from glacier_purge.report.results.result import as_members

    result = as_members(audited)
    faults, notices = result.pop("fault_list"), result.pop("notice_list")
    result |= {f"fault {number}": fault for number, fault in enumerate(faults[:_FAULTS_SHOWN], 1)}
    return result | {f"notice {number}": notice for number, notice in enumerate(notices[:_FAULTS_SHOWN], 1)}


def _worst(verdicts: list[FolderVerdict]) -> Literal["sound", "damaged"]:
    return "damaged" if any(verdict.found.faults for verdict in verdicts) else "sound"


def export(
    run_dir: Path,
    *,
    form: Annotated[ListForm, Parameter(name="--format")] = "csv",
    only: Literal["deleted", "failed", "skipped", "invalid", "duplicate"] | None = None,
    to: Path | None = None,
    logs: Logs = LogOptions(),
) -> int:
    """Write what became of each archive, and what the inventory says of it, as a list that others can read.

    Of archives that the run let be, `code` is the reason. In CSV, texts from outside begin with an apostrophe: so no
    spreadsheet runs anything in them.

    Parameters
    ----------
    run_dir
        The run folder.
    form
        csv; jsonl, an object a line; or s3-batch, the completion report of S3 Batch Operations (deleted and failed
        alone, without a heading).
    only
        Only archives that ended so.
    to
        File to make, packed where its name ends in .gz or .zst; otherwise stdout.

    Examples
    --------
    glacier-purge audit export photos-run --only failed --to failed.csv
    glacier-purge audit export photos-run --format jsonl --to outcomes.jsonl.zst
    """
    from glacier_purge.api.run_dirs import look_at_log, planned_or_streamed
    from glacier_purge.cli.listing import print_list
    from glacier_purge.proof.lists import SETTLED, settled_rows

    folder = look_at_log(run_dir)
    plan, vault = planned_or_streamed(folder)
    print_list(settled_rows(folder.path, plan, only), SETTLED, form, to, vault=vault)
    return 0
