"""A finished run proven by a later inventory of the simulator, in stepped time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from glacier_purge.audit.anchor import NAMESPACE, notes_bytes
from glacier_purge.audit.verification import read_notes, verify_folder
from glacier_purge.errors import AuditDamaged, Pending, PlanRefused, UsageError
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.proof.verifying import Verifying
from glacier_purge.storage.ssh_signature import signer_of
from tests.clients import HOUR, Stepping, simulated
from tests.glacier_simulator.raw_client import ask
from tests.proof.purged import purged
from tests.storage.keys import made_keys

if TYPE_CHECKING:
    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("today")

FILM = b"film"
UPLOAD = {
    "x-amz-content-sha256": hashlib.sha256(FILM).hexdigest(),
    "x-amz-sha256-tree-hash": hashlib.sha256(FILM).hexdigest(),
}


async def upload(glacier: SimulatedGlacier, vault: str = "photos") -> None:
    assert (await ask(glacier.endpoint_url, "POST", f"/-/vaults/{vault}/archives", FILM, **UPLOAD)).status == 201


async def test_a_purged_vault_is_proven_empty_by_the_next_inventory(tmp_path: Path) -> None:
    async with simulated(archives=60) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        waiter = Stepping(glacier)
        verdict = await Verifying(client, folder, plan, waiter, print, by="me@here").verify()
        assert "an inventory of photos made after" in waiter.waited[0].what
        assert "inventory job" in waiter.waited[-1].what
        again = await Verifying(client, folder, plan, NoWait(clock=waiter.now), print, by="me@here").verify()
    certificate = verdict.certificate
    assert certificate is not None
    assert again == verdict
    assert read_certificate(folder) == certificate
    assert (certificate.deleted, certificate.found.gone, certificate.found.listed) == (60, 60, 0)
    assert (certificate.plan_digest, certificate.by) == (plan.digest, "me@here")
    assert certificate.inventory_date > (certificate.last_deletion or "")
    text = (folder.path / "certificate.txt").read_text("utf-8")
    for fact in (plan.digest, certificate.audit_anchor, certificate.inventory_job, certificate.digest, "60 of 60"):
        assert fact in text
    assert "What it does not prove" in text


async def test_a_certificate_that_is_signed_says_so_and_by_whom(tmp_path: Path) -> None:
    """With the key that comes later, too, and without another inventory."""
    keys = made_keys(tmp_path)
    async with simulated(archives=20) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        waiter = Stepping(glacier)
        unsigned = (await Verifying(client, folder, plan, waiter, print, by="me").verify()).certificate
        waiting = NoWait(clock=waiter.now)
        signed = await Verifying(client, folder, plan, waiting, print, by="me", sign_key=keys.anna).verify()
        with pytest.raises(UsageError, match="asks for a passphrase"):
            await Verifying(client, folder, plan, waiting, print, by="me", sign_key=keys.folder / "locked").verify()
    certificate = read_certificate(folder)
    assert signed.certificate == certificate
    assert unsigned is not None
    assert certificate is not None
    assert unsigned.digest != certificate.digest
    assert b"anchor_note" not in msgspec.json.encode(unsigned)
    [note] = read_notes(str(certificate.anchor_note).encode())
    signer = signer_of(note.text, note.signature, NAMESPACE, keys.allowed_signers)
    assert signer == f"anna@example ({certificate.anchor_signed_with})"
    assert f"{note.seq}:{note.digest}" == certificate.audit_anchor
    assert f"signed with  {certificate.anchor_signed_with}" in (folder.path / "certificate.txt").read_text("utf-8")
    assert verify_folder(folder.path)[0].found.faults == ()
    assert taken_out(folder.path) == notes_bytes([note])


def taken_out(folder: Path) -> bytes:
    """The note in a certificate, by the command of docs/audit-format.md."""
    text = (Path(__file__).parents[2] / "docs/audit-format.md").read_text("utf-8")
    command = text.partition("```sh\npython3 -c ")[2].partition("```")[0]
    subprocess.run(["sh", "-e", "-c", f"python3 -c {command}"], cwd=folder, check=True)
    return (folder / "photos.anchors").read_bytes()


async def test_without_waiting_it_says_what_for_and_a_later_call_goes_on(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        hasty = Verifying(client, folder, plan, NoWait(clock=Stepping(glacier).now), print, by="me")
        with pytest.raises(Pending, match="an inventory of photos made after"):
            await hasty.verify()
        glacier.clock.step(25 * HOUR)
        for _ in range(2):
            with pytest.raises(Pending, match="inventory job"):
                await hasty.verify()
        glacier.clock.step(6 * HOUR)
        assert (await hasty.verify()).certificate is not None
        assert len([job async for job in client.list_jobs()]) == 1


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("us-east-1", "eu-west-1"), ("123456789012", "210987654321"), ("vaults/photos", "vaults/films")],
)
async def test_an_inventory_of_another_vault_proves_nothing(was: str, becomes: str, tmp_path: Path) -> None:
    """Not even one that lies where the run's own was fetched to, with a hash that fits."""
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
        (folder.path / "certificate.json").unlink()
        fetched, noted = (folder.path / "verification" / name for name in ("inventory.json", "retrieval.json"))
        before = fetched.read_bytes()
        fetched.write_bytes(before.replace(was.encode(), becomes.encode()))
        old, new = (hashlib.sha256(content).hexdigest() for content in (before, fetched.read_bytes()))
        noted.write_text(noted.read_text().replace(old, new))
        with pytest.raises(PlanRefused, match=f"is the inventory of arn:aws:glacier:.*{becomes}.*, not of arn:"):
            await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
        assert read_certificate(folder) is None
        noted.unlink()
        assert (await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()).certificate


async def test_an_inventory_from_before_the_run_and_another_runs_certificate_prove_nothing(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        for name in ("earlier", "later"):
            (tmp_path / name).mkdir()
        earlier, plan = await purged(glacier, tmp_path / "earlier")
        await Verifying(client, earlier, plan, Stepping(glacier), print, by="me").verify()
        await upload(glacier)
        glacier.clock.step(30 * HOUR)
        later, plan = await purged(glacier, tmp_path / "later")
        for name in ("certificate.json", "certificate.txt"):
            shutil.copy(earlier.path / name, later.path / name)
        shutil.copytree(earlier.path / "verification", later.path / "verification")
        with pytest.raises(Pending):
            await Verifying(client, later, plan, NoWait(clock=Stepping(glacier).now), print, by="me").verify()
        verdict = await Verifying(client, later, plan, Stepping(glacier), print, by="me").verify()
    assert verdict.certificate is not None
    assert verdict.certificate.plan_digest == plan.digest
    assert verdict.inventory_date > (verdict.certificate.last_deletion or "")


async def test_uploads_during_the_purge_are_told_and_leave_the_deletions_proven(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        await upload(glacier)
        verdict = await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
    assert verdict.certificate is not None
    assert (verdict.found.new_since, verdict.found.gone, verdict.found.vault_is_empty) == (1, 10, False)
    assert len((folder.path / "verification/new-since.ids").read_text("ascii").split()) == 1


async def test_what_the_plan_did_not_know_is_not_its_failure(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path, without=3)
        verdict = await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
    assert (verdict.found.gone, verdict.found.new_since) == (7, 3)


async def test_a_newer_inventory_is_taken_when_verified_again(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        await upload(glacier)
        first = await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
        (new,) = (folder.path / "verification/new-since.ids").read_text("ascii").split()
        await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/photos/archives/{new}")
        glacier.clock.step(25 * HOUR)
        second = await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
    assert (first.found.new_since, second.found.new_since) == (1, 0)
    assert second.certificate is not None
    assert second.found.vault_is_empty


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("kept", range(3))
async def test_a_verification_killed_while_it_takes_away_an_earlier_inventory_is_gone_on_with(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, unlink = kept, os.unlink

    def killing(path: Any, **how: Any) -> None:
        nonlocal left
        if not left:
            raise KilledError
        left -= ".ids" not in str(path)
        unlink(path, **how)

    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        await upload(glacier)
        await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
        await upload(glacier)
        glacier.clock.step(25 * HOUR)
        fetched = folder.path / "verification/inventory.json"
        shutil.copy(fetched, tmp_path / "newest")
        (tmp_path / "newest").replace(fetched)  # some file systems list it first then
        second = Verifying(client, folder, plan, Stepping(glacier), print, by="me")
        with monkeypatch.context() as killed:
            killed.setattr(os, "unlink", killing)
            with pytest.raises(KilledError):
                await second.verify()
        assert not left
        [(_, _, checked)] = verify_folder(folder.path)
        assert checked.faults == ()
        again = await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
    assert again.found.new_since == 2


async def test_a_deletion_that_took_no_effect_is_waited_for_and_then_told(tmp_path: Path) -> None:
    """A 204 whose archive stays: nobody has seen the service do so, which is why it is checked."""
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        shelf = glacier.service.vault("photos", glacier.clock.now()).shelf
        shelf.gone[0] = 0
        shelf.live += 1
        waiter = Stepping(glacier)
        began = waiter.now()
        verdict = await Verifying(client, folder, plan, waiter, print, by="me").verify()
        assert waiter.now() - began >= timedelta(hours=71)
    assert verdict.certificate is None
    assert (verdict.found.still_listed, verdict.found.gone) == (1, 9)
    assert len((folder.path / "verification/still-listed.ids").read_text("ascii").split()) == 1


async def test_a_run_that_is_not_finished_is_not_verified(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        log = folder.path / "audit/000001.jsonl"
        whole = log.read_bytes()
        for checkpoint in folder.path.glob("checkpoint*"):
            checkpoint.unlink()
        log.write_bytes(b"".join(line for line in whole.splitlines(keepends=True) if b'"event":"finished"' not in line))
        with pytest.raises(PlanRefused, match="not finished"):
            await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
        log.write_bytes(whole.replace(b'"http_status":204', b'"http_status":205', 1))
        with pytest.raises(AuditDamaged):
            await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()


async def test_a_certificate_that_was_edited_is_refused(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
        file = folder.path / "certificate.json"
        file.write_bytes(file.read_bytes().replace(b'"deleted": 10', b'"deleted": 11'))
        with pytest.raises(PlanRefused, match="changed after it was written"):
            await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()


async def test_a_certificate_of_a_version_that_did_not_look_at_what_was_kept_is_refused(tmp_path: Path) -> None:
    async with simulated(archives=3) as (glacier, client):
        folder, plan = await purged(glacier, tmp_path)
        await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()
    file = folder.path / "certificate.json"
    document = json.loads(file.read_bytes())
    document["certificate"]["format"] = 1
    del document["certificate"]["found"]["kept_gone"], document["certificate"]["found"]["kept_gone_first"]
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(PlanRefused, match=r"earlier version, which did not look.*verify again"):
        read_certificate(folder)
