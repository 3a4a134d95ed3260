"""What a lifecycle was last asked to do besides deleting, kept in its folder for whoever takes it on another host.

No term: each command may ask for something else, and what it asks for holds.  ``take`` alone asks for what is here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from glacier_purge.errors import AuditDamaged
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.storage.documents import DocumentUnreadable, encoded, read_document
from glacier_purge.storage.folder import RunFolder

ORDER_FILE = "order.json"


class Ordered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See ``LifecycleOptions``; an inventory job is ordered once and not kept."""

    freeze: bool = False
    remove_vault: str | None = None
    even_the_last: bool = False
    set_aside_defects: bool = False


def note_order(folder: RunFolder, options: LifecycleOptions) -> None:
    """Write down what is asked for now, where that is something else than before."""
    asked = msgspec.convert(options, Ordered, from_attributes=True)
    if read_order(folder.path) != asked:
        folder.replace(ORDER_FILE, encoded(asked))


def read_order(path: Path) -> Ordered:
    """What the last command asked for. Raises ``AuditDamaged`` for what was not written like that."""
    try:
        return read_document(path / ORDER_FILE, Ordered) or Ordered()
    except DocumentUnreadable as wrong:
        raise AuditDamaged(
            f"it can't be read ({wrong}). It says whether uploads are to be denied and the vault removed. Remove it, "
            "and give the command of the beginning again. Nothing was sent.",
            file=str(path / ORDER_FILE),
            offset_bytes=0,
        ) from wrong
