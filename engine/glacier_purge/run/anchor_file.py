"""Keeps a log's head in a file that lies elsewhere, so that a log cut back, rewritten or replaced later can be told.

The file is somebody's: on another disk, a share, a place that is copied to somebody else.  What is wrong with it while
a run sends is told and stops nothing, because the log itself is whole; what it says of a log that is not the one here
is never written over.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import structlog

from glacier_purge.audit.anchor import NAMESPACE, Anchor, note, notes_bytes
from glacier_purge.audit.verification import AnchorNote, NotToBeChecked, read_notes
from glacier_purge.errors import AuditDamaged, UsageError
from glacier_purge.storage.new_file import put_in_place
from glacier_purge.storage.ssh_signature import sign

_log: Any = structlog.wrap_logger(logging.getLogger(__name__))

_BYTES_MAX = 1 << 26
_one_at_a_time = threading.Lock()
"""A fleet's runs keep their anchors in one file."""
_TURN_SECONDS_MAX = 2.0
"""Longer than many writes take. Behind a write that hangs nobody queues up."""


def signed(anchor: Anchor, key: Path | None) -> AnchorNote:
    """The anchor as a note, signed where there is a key. Raises ``UsageError`` where it can't be signed."""
    text = anchor.text()
    return note(text, b"" if key is None else sign(text, key, NAMESPACE))


class AnchorFile:
    """A file of anchors, one for each log; each anchor takes the place of the one before of its log.

    ``key`` signs them: a private SSH key, or the public key of one that an agent has; None leaves them unsigned.
    """

    def __init__(self, path: Path, key: Path | None) -> None:
        self._path = path
        self._key = key
        self._told = ""

    def check(self) -> None:
        """See, before anything is sent, that it is a file of anchors or none yet, and that the key signs.

        Raises ``UsageError``. A place that can't be reached is told, and may come back.
        """
        if self._key is not None:
            sign(b"", self._key, NAMESPACE)
        try:
            self._read()
        except OSError as error:
            self.tell(error.strerror or str(error))

    def hold_against(self, head: Anchor) -> None:
        """Raise ``AuditDamaged`` where the file vouches for more of the log than it has now, or for another."""
        try:
            notes = self._read()
        except OSError as error:
            self.tell(error.strerror or str(error))
        else:
            _check(self._path, notes, head)

    def put(self, head: Anchor) -> AnchorNote:
        """Put the anchor in the place of the last one of its log.

        Raises ``UsageError`` and ``AuditDamaged`` as ``check`` and ``hold_against`` do, and ``OSError``.
        """
        made = signed(head, self._key)
        if not _one_at_a_time.acquire(timeout=_TURN_SECONDS_MAX):
            raise TimeoutError("an earlier anchor is still being written, as on a share that hangs")
        try:
            notes = self._read()
            _check(self._path, notes, head)
            put_in_place(self._path, notes_bytes([*(one for one in notes if one.plan != made.plan), made]))
        finally:
            _one_at_a_time.release()
        return made

    def keep(self, head: Anchor) -> None:
        """Do so as ``put`` does; what keeps it from that is told, once, and nothing is raised."""
        try:
            self.put(head)
        except OSError as error:
            self.tell(error.strerror or str(error))
        except (AuditDamaged, UsageError) as refused:
            self.tell(str(refused))
        else:
            self._told = ""

    def _read(self) -> list[AnchorNote]:
        """The notes that are there. Raises ``UsageError`` where something else is, and ``OSError``."""
        if self._path.exists() and not self._path.is_file():
            raise UsageError(f"{self._path} is no file. Give a file as --anchor-file.")
        try:
            with self._path.open("rb") as file:
                content = file.read(_BYTES_MAX)
        except FileNotFoundError:
            return []
        try:
            return read_notes(content) if content else []
        except NotToBeChecked as other:
            raise UsageError(
                f"{self._path} is {other}. It is not written over. Give another --anchor-file, or take it away."
            ) from other

    def tell(self, why: str) -> None:
        """Tell the operator why nothing is kept, unless that was told last."""
        if why != self._told:
            _log.warning("anchor.not_kept", file=str(self._path), because=why, then="tried again at each checkpoint")
        self._told = why


def _check(path: Path, notes: list[AnchorNote], head: Anchor) -> None:
    for kept in notes:
        has = head.records - 1
        if kept.plan != head.plan_digest or kept.seq < has or (kept.seq, kept.digest) == (has, head.head):
            continue
        raise AuditDamaged(
            f"{path} vouches for {kept.seq + 1:,} records, and the log has {head.records:,}, or others: it was cut "
            "back or replaced, or an older copy of the folder is in its place. Nothing more is sent. Find the folder "
            f"that has them (glacier-purge audit verify DIR --anchor {path}), or plan again from a new inventory.",
            file="audit",
            offset_bytes=0,
            record=head.records,
        )
