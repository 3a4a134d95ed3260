"""A lifecycle whose rounds keep their heads in one signed file: what was rolled back or lost of any round shows."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from glacier_purge.audit.anchor import NAMESPACE
from glacier_purge.audit.verification import read_notes, verify_folder
from glacier_purge.fleet.fleet import State
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.ssh_signature import signer_of
from tests.clients import simulated
from tests.lifecycle.lifecycles import carried, said_yes, upload
from tests.storage.keys import made_keys

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.approval.typed import Approval
    from glacier_purge.audit.verification import AnchorNote
    from glacier_purge.plan.document import Plan

pytestmark = pytest.mark.usefixtures("credentials")


def kept(file: Path) -> list[AnchorNote]:
    return read_notes(file.read_bytes())


async def test_each_round_has_its_anchor_and_the_certificate_its_signature(tmp_path: Path) -> None:
    place, keys, anchors = tmp_path / "lifecycle", made_keys(tmp_path), tmp_path / "anchors"
    approved = []
    audit = {"anchor_file": str(anchors), "sign_key": str(keys.anna)}
    async with simulated(archives=10) as (glacier, _):

        async def yes_while_somebody_uploads(folder: RunFolder, plan: Plan) -> Approval:
            approved.append(plan.digest)
            if len(approved) == 1:
                await upload(glacier)
            else:
                shutil.copytree(place, tmp_path / "older")
            return await said_yes(folder, plan)

        ending = await carried(glacier, place, approve=yes_while_somebody_uploads, audit=audit)
    assert ending.state is State.DONE, ending.message
    notes = kept(anchors)
    assert [note.plan for note in notes] == approved
    for note in notes:
        assert signer_of(note.text, note.signature, NAMESPACE, keys.allowed_signers).startswith("anna@example")
    certificate = read_certificate(RunFolder.open(place / "round-2"))
    assert certificate is not None
    assert str(certificate.anchor_signed_with) in signer_of(
        notes[1].text, notes[1].signature, NAMESPACE, keys.allowed_signers
    )
    assert all(not found.faults for _, _, found in verify_folder(place, notes=notes))
    older = verify_folder(tmp_path / "older", notes=notes)
    assert [(name, fault.kind) for name, _, found in older for fault in found.faults] == [("round-2", "truncated")]
    assert not any(found.faults for _, _, found in verify_folder(tmp_path / "older"))


async def test_a_key_that_can_not_sign_ends_it_before_anything_begins(tmp_path: Path) -> None:
    keys = made_keys(tmp_path)
    audit = {"anchor_file": str(tmp_path / "anchors"), "sign_key": str(keys.folder / "locked")}
    async with simulated(archives=10) as (glacier, _):
        ending = await carried(glacier, tmp_path / "lifecycle", audit=audit)
        assert glacier.ledger["requests"] == 0
    assert "asks for a passphrase" in str(ending.message)
