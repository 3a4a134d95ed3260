"""Puts the bundle for an auditor together: the folder checked, anchored, and told in plain words what it is."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from textwrap import indent
from typing import TYPE_CHECKING

from glacier_purge.api.anchoring import heads, sound_folder
from glacier_purge.api.reporting import REPORT_FILE
from glacier_purge.audit.anchor import NAMESPACE, notes_bytes
from glacier_purge.audit.verification import verdict_lines
from glacier_purge.clock import utc_now
from glacier_purge.errors import HostFailed, RunLocked, UsageError
from glacier_purge.proof.bundle import ANCHORS_FILE, EVIDENCE, PAGES, SUMS_FILE, write_bundle
from glacier_purge.report.results.auditing import Bundled
from glacier_purge.report.results.result import UNSET
from glacier_purge.run.anchor_file import signed
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.ssh_signature import key_of

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.audit.verification import FolderVerdict

_CHUNK_BYTES = 1 << 20

_README = """\
What was deleted, and how to check it
=====================================

This is what glacier-purge {version} recorded of the deletion of archives from Amazon Glacier (vaults):
{what}. The folder "{evidence}" has its files as they lay on the host that did it:
the plan that was approved, who approved it, the log with a line for each archive,
the certificate where a later inventory showed that all is gone, and the steps in
between.

To check it takes Python 3.11 or newer and nothing else. Unpack the zip, open a
terminal in the folder, and give

    python3 -I verify.py {evidence} --without-inventories{anchored}

(on Windows: py -3 -I verify.py ...). "verify.py" is one file, meant to be read
first. It has to end with

{expected}

and exit code 0. Lines with "note:" are no damage. What was changed, removed or
added is named with its file and byte.
{signature}
Where to look in a run's folder (a lifecycle has one for each round, round-1 ...):

    plan.json            what was approved: vault, counts, rules, the plan's digest
    audit/*.jsonl        the log, a line for each archive; who approved which digest,
                         when and how are the lines with "event":"approved"
    approvals/           where several people had to sign: their documents, and who may.
                         Those that counted are in the log, too, which verify.py checks
                         with ssh-keygen where that is installed
    inventory.*.sha256   which inventory was planned with; verification/ has that of
                         the one it was proven by
    certificate.txt      what a later inventory showed, and what that proves
    lifecycle.jsonl      above the rounds: every step with its time

What all files are, and how to check them with a program of your own, stands in
audit-format.md. That all files are here as they were put in, on Linux (on macOS
it is called shasum -a 256):

    sha256sum -c {sums}

{pages}What is not here: the inventories, which list the archives with their descriptions.
Their SHA-256 is in the plan and in the files that end in .sha256; who has them can
lay them beside those files, and leave --without-inventories away.

What to know of it: account numbers, ARNs of vaults and of who holds rights to them,
names of users and hosts, archive ids, and the descriptions of the few archives that
the plan shows are in it on purpose. Credentials are not.

What it proves, and what it does not, is said in the certificate (certificate.txt).
"""

_LOOK = """\
To look at first, with a browser: {pages}/report.html, what was deleted, kept and failed,
and how it went. It is no evidence, and nothing vouches for it: each of its figures
names the file of the evidence that has it.

"""

_SIGNATURE = """
The heads of the logs are in {anchors}, signed with
{key}.
Whose key that is you have to know from somewhere else. With OpenSSH, and a line
"NAME KEY-TYPE KEY" in a file allowed_signers (of several notes each by itself):

    sed '/^$/,$d' {anchors} > text
    sed -n '/^-----BEGIN/,/^-----END/p' {anchors} > text.sig
    ssh-keygen -Y verify -f allowed_signers -I NAME -n {namespace} -s text.sig < text
"""


def bundled(folder: Path, target: Path, key: Path | None) -> Bundled:
    """Check a folder and write its bundle to ``target``, which must be new. ``key`` signs the heads of its logs.

    Raises ``AuditDamaged`` for a folder that is not as it was written, ``RunLocked`` while a process works in it,
    ``UsageError``, and ``HostFailed`` where it can't be written.
    """
    if target.exists():
        raise UsageError(f"{target} is there already. Give a new file.")
    verdicts = sound_folder(folder)
    places = list(dict.fromkeys(verdict.name for verdict in verdicts))
    for place in places:
        if RunFolder.look(folder / place).is_locked():
            raise RunLocked(
                f"a process works in {folder / place}, and what is still written can't be handed on. Nothing was "
                "written. Give the same command when it has ended."
            )
    notes = [] if key is None else [signed(head, key) for head in heads(verdicts, utc_now())]
    signed_with = key_of(notes[0].text, notes[0].signature, NAMESPACE) if notes else None
    partial = target.with_name(f".{target.name}.new")
    partial.unlink(missing_ok=True)  # of one that was killed
    try:
        with partial.open("xb") as file:
            write_bundle(
                folder,
                places,
                file,
                _readme(verdicts, signed_with, has_page=(folder / REPORT_FILE).is_file()),
                notes_bytes(notes),
            )
        partial.rename(target)
    except OSError as error:
        raise HostFailed(f"{target} can't be written: {error.strerror}. Make room, or give another file.") from error
    finally:
        partial.unlink(missing_ok=True)
    return Bundled(
        sha256=_sha256(target),
        size_bytes=target.stat().st_size,
        folders=len(places),
        signed_with=signed_with or UNSET,
        file=str(target),
        run_dir=str(folder),
    )


def _readme(verdicts: list[FolderVerdict], signed_with: str | None, *, has_page: bool) -> str:
    signature = ""
    if signed_with is not None:
        signature = _SIGNATURE.format(anchors=ANCHORS_FILE, key=signed_with, namespace=NAMESPACE)
    return _README.format(
        version=version("glacier-purge"),
        what=f"a {verdicts[0].what}" if verdicts[0].what != "script" else "the log of a script",
        evidence=EVIDENCE,
        anchored="" if signed_with is None else f" --anchor {ANCHORS_FILE}",
        expected=indent("\n".join(verdict_lines(verdicts)), "    "),
        signature=signature,
        pages=_LOOK.format(pages=PAGES) if has_page else "",
        sums=SUMS_FILE,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
