"""An anchor as a note: where a log stood and the hash of its last line, in five lines that somebody can sign.

It is kept elsewhere, with another person or on another disk, and shows whoever checks the log later that it was cut
back, rewritten or replaced.  Its lines are those of C2SP's tlog-checkpoint: an origin, a size, a hash; two more say of
which plan the log is and when that was so.  A file of anchors is such notes one after the other, one for each log
(docs/audit-format.md); the verifier reads it, and only writing it is here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from glacier_purge.audit.verification import AnchorNote, read_notes

NAMESPACE = "glacier-purge-anchor"
"""What signatures over anchors are for (SSHSIG's namespace): one over anything else is none over an anchor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The head of one log: its first ``records`` lines end with the hash ``head`` (SHA-256, hex), at ``at`` (UTC)."""

    run: str
    plan_digest: str
    records: int
    head: str
    at: datetime

    @classmethod
    def of(cls, anchor: str, *, run: str, plan_digest: str, at: datetime) -> Anchor:
        """The anchor that is written ``SEQ:HASH``."""
        seq, _, head = anchor.partition(":")
        return cls(run=run, plan_digest=plan_digest, records=int(seq) + 1, head=head, at=at)

    def text(self) -> bytes:
        """The note's text, which is what is signed."""
        head = base64.b64encode(bytes.fromhex(self.head)).decode()
        lines = (
            f"glacier-purge/{quote(self.run, safe='', errors='backslashreplace')}",
            str(self.records),
            head,
            f"plan {self.plan_digest}",
            f"time {self.at:%Y-%m-%dT%H:%M:%SZ}",
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")


def note(text: bytes, signature: bytes = b"") -> AnchorNote:
    """Make a note of an anchor's text and the signature over it, if there is one."""
    [made] = read_notes(_written(text, signature))
    return made


def notes_bytes(notes: Iterable[AnchorNote]) -> bytes:
    """A file of these notes."""
    return b"".join(_written(one.text, one.signature) for one in notes)


def _written(text: bytes, signature: bytes) -> bytes:
    return b"".join((text, b"\n", signature, b"\n" if signature else b""))
