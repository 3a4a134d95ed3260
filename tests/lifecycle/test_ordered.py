"""What a lifecycle was last asked to do besides deleting, for whoever takes it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from glacier_purge.errors import AuditDamaged
from glacier_purge.inventory.fetching.job_choice import WantedJob
from glacier_purge.lifecycle.options import LifecycleOptions
from glacier_purge.lifecycle.ordered import ORDER_FILE, Ordered, note_order, read_order
from glacier_purge.storage.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_the_last_order_holds_and_no_job_is_kept(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "lifecycle")
    assert read_order(folder.path) == Ordered()
    wanted = WantedJob(is_new=True)
    note_order(folder, LifecycleOptions(freeze=True, remove_vault="photos", even_the_last=True, wanted=wanted))
    assert read_order(folder.path) == Ordered(freeze=True, remove_vault="photos", even_the_last=True)
    before = (folder.path / ORDER_FILE).stat().st_ino
    note_order(folder, LifecycleOptions(freeze=True, remove_vault="photos", even_the_last=True))
    assert (folder.path / ORDER_FILE).stat().st_ino == before, "what did not change is not written"
    note_order(folder, LifecycleOptions(set_aside_defects=True))
    assert read_order(folder.path) == Ordered(set_aside_defects=True)


@pytest.mark.parametrize("content", [b"", b"{}x", b'{"freeze":1}', b'{"remove":"photos"}', b"[" * 10_000])
def test_what_is_no_order_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "lifecycle")
    folder.replace(ORDER_FILE, content)
    with pytest.raises(AuditDamaged, match=r"order\.json.*can't be read"):
        read_order(folder.path)
