"""Removing the vault of a proven run: what speaks against it, the waits, and the last vault of an account."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from glacier_purge.archive import Vault
from glacier_purge.audit.recovery import replay
from glacier_purge.errors import AuditDamaged, DiskFailed, Pending, PlanRefused, RunStopped, ServiceRefused
from glacier_purge.glacier.control import Removal
from glacier_purge.glacier.waiting import NoWait
from glacier_purge.proof.certificate import read_certificate
from glacier_purge.proof.verifying import Verifying
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.vault.emptiness import Certified, Unlisted, why_not
from glacier_purge.vault.removal import VaultRemoval, WrittenTo, read_removal
from glacier_simulator.faults import Rule
from tests.clients import HOUR, VAULT, Stepping, control, simulated
from tests.proof.purged import purged
from tests.proof.test_verifying import upload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.port import VaultDescription
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.plan.document import Plan
    from glacier_purge.storage.folder import RunFolder
    from glacier_simulator import SimulatedGlacier

pytestmark = pytest.mark.usefixtures("today")


FILMS = Vault(account_id=VAULT.account_id, region=VAULT.region, name="films")


async def proven(glacier: SimulatedGlacier, client: GlacierControl, place: Path) -> tuple[RunFolder, Plan]:
    """A run of the vault, proven empty; the account has another vault."""
    folder, plan = await purged(glacier, place)
    assert (await Verifying(client, folder, plan, Stepping(glacier), print, by="me").verify()).certificate is not None
    glacier.service.create_vault("films", glacier.clock.now())
    return folder, plan


def removal(
    client: GlacierControl, run: tuple[RunFolder, Plan], waiter: Waiter, *, even_the_last: bool = False
) -> VaultRemoval:
    proof = Certified(folder=run[0], plan=run[1])
    return VaultRemoval(client, run[0].path, proof, waiter, by="me", even_the_last=even_the_last)


async def test_a_vault_that_was_proven_empty_is_removed(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        assert await removal(client, run, Stepping(glacier)).remove("photos") is Removal.DONE
        assert glacier.service.vault_names() == ["films"]
    assert [(line.event, line.answer) for line in read_removal(run[0].path)] == [
        ("asked", None),
        ("answered", "deleted"),
    ]


async def test_recently_written_to_is_waited_out(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        await upload(glacier)
        (new,) = [record["ArchiveId"] for record in msgspec.json.decode(glacier.inventory_text())["ArchiveList"]]
        await client.describe_vault()
        glacier.service.delete_archive("photos", new, glacier.clock.now())
        with pytest.raises(Pending, match="to let vault photos go"):
            await removal(client, run, NoWait(clock=Stepping(glacier).now)).remove("photos")
        waiter = Stepping(glacier)
        assert await removal(client, run, waiter).remove("photos") is Removal.DONE
        assert 1 <= len(waiter.waited) <= 24


async def test_a_vault_written_to_after_it_was_proven_is_not_removed(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        await upload(glacier)
        glacier.clock.step(30 * HOUR)
        with pytest.raises(ServiceRefused, match="holds 1 archives as of"):
            await removal(client, run, Stepping(glacier)).remove("photos")
        assert glacier.service.vault_names() == ["films", "photos"]


def tagged(glacier: SimulatedGlacier) -> None:
    glacier.service.vault("photos", glacier.clock.now()).facts.tags["purge:deny"] = "case 7"


def forbidden(glacier: SimulatedGlacier) -> None:
    denial = {"Sid": "kept", "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive", "Resource": "*"}
    policy = msgspec.json.encode({"Version": "2012-10-17", "Statement": [denial]}).decode()
    glacier.service.vault("photos", glacier.clock.now()).facts.access_policy = policy


@pytest.mark.parametrize(("hold", "found"), [(tagged, "tagged purge:deny=case 7"), (forbidden, "kept denies deleting")])
@pytest.mark.parametrize("asked_before", [False, True])
async def test_a_hold_set_after_the_purge_keeps_the_vault(
    hold: Callable[[SimulatedGlacier], None], found: str, asked_before: bool, tmp_path: Path
) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        if asked_before:  # and refused, so that it is asked again an hour later
            await upload(glacier)
            with pytest.raises(Pending):
                await removal(client, run, NoWait(clock=Stepping(glacier).now)).remove("photos")
        hold(glacier)
        with pytest.raises(PlanRefused, match=f"is not removed as things are: .*{found}"):
            await removal(client, run, Stepping(glacier)).remove("photos")
        assert glacier.service.vault_names() == ["films", "photos"]
        assert glacier.ledger["operations"].get("DeleteVault", 0) == asked_before


async def test_archives_that_the_service_counts_without_an_inventory_keep_the_vault(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        await proven(glacier, client, tmp_path)
        described = await client.describe_vault()
        odd = replace(described, last_inventory=None, archives=3)
        proof = Unlisted(vault=VAULT, as_of=None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(client), "describe_vault", lambda _: answered(odd))
            with pytest.raises(WrittenTo, match="holds 3 archives: somebody wrote to it"):
                await VaultRemoval(client, tmp_path, proof, Stepping(glacier), by="me").remove("photos")
        assert glacier.ledger["operations"].get("DeleteVault", 0) == 0


async def answered(described: VaultDescription) -> VaultDescription:
    return described


@pytest.mark.parametrize(("written", "answer"), [(False, "deleted"), (True, None)])
async def test_a_vault_that_was_never_inventoried_goes_unless_it_was_written_to(
    written: bool, answer: str | None, tmp_path: Path
) -> None:
    async with simulated(archives=10) as (glacier, _):
        glacier.service.create_vault("films", glacier.clock.now())
        if written:
            await upload(glacier, "films")
        async with control(glacier.endpoint_url, FILMS) as client:
            proof = Unlisted(vault=FILMS, as_of=None)
            removing = VaultRemoval(client, tmp_path, proof, Stepping(glacier), by="me")
            if written:
                with pytest.raises(WrittenTo, match="has no inventory and is not empty or was recently written to"):
                    await removing.remove("films")
            else:
                assert await removing.remove("films") is Removal.DONE
        assert ("films" in glacier.service.vault_names()) is written
    assert answer in (None, read_removal(tmp_path)[-1].answer)


async def test_after_three_days_of_refusals_a_person_has_to_look(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        waiter = Stepping(glacier)
        began = waiter.now()
        stubborn = glacier.service.vault("photos", glacier.clock.now())
        stubborn.facts.inventory_due = glacier.clock.now() + 1000 * HOUR
        with pytest.raises(RunStopped, match="in three days"):
            await removal(client, run, waiter).remove("photos")
        assert 72 <= (waiter.now() - began).total_seconds() / HOUR <= 74


async def test_the_last_vault_needs_a_word_of_its_own(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        await ask_to_delete(glacier, "films")
        with pytest.raises(PlanRefused, match=r"only vault in us-east-1.*--even-the-last-vault"):
            await removal(client, run, Stepping(glacier)).remove("photos")
        assert glacier.service.vault_names() == ["photos"]
        assert read_removal(run[0].path) == []
        assert await removal(client, run, Stepping(glacier), even_the_last=True).remove("photos") is Removal.DONE


async def ask_to_delete(glacier: SimulatedGlacier, name: str) -> None:
    from tests.glacier_simulator.raw_client import ask

    assert (await ask(glacier.endpoint_url, "DELETE", f"/-/vaults/{name}")).status == 204


async def test_vaults_that_cannot_be_listed_may_be_none(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        glacier.desk.faults.replace([Rule("access-denied", operation="ListVaults")])
        with pytest.raises(PlanRefused, match="could not be listed"):
            await removal(client, run, Stepping(glacier)).remove("photos")


async def test_an_account_without_storage_has_no_vault_to_remove(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        glacier.service.close_account()
        answer = await removal(client, run, Stepping(glacier), even_the_last=True).remove("photos")
    assert answer is Removal.NO_LONGER_SUPPORTED


async def test_no_longer_supported_is_no_success_without_full_accounting(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await purged(glacier, tmp_path)
        glacier.service.close_account()
        with pytest.raises(PlanRefused, match="no certificate"):
            await removal(client, run, Stepping(glacier), even_the_last=True).remove("photos")


async def test_what_speaks_against_it_is_all_told_and_nothing_sent(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        folder, plan = await proven(glacier, client, tmp_path)
        with pytest.raises(PlanRefused, match="'photo' is not the name"):
            await removal(client, (folder, plan), Stepping(glacier)).remove("photo")
        certificate, ledger = read_certificate(folder), replay(folder.path)
    assert certificate is not None
    assert why_not(plan, ledger, certificate) == []
    other = msgspec.structs.replace(certificate, plan_digest="0" * 64)
    listing = msgspec.structs.replace(certificate, found=msgspec.structs.replace(certificate.found, listed=3))
    larger = msgspec.structs.replace(plan, counts=msgspec.structs.replace(plan.counts, inventory=11))
    assert why_not(plan, ledger, None) == ["there is no certificate: run glacier-purge verify first"]
    assert why_not(plan, ledger, other) == ["the certificate is of another run (verify this one again)"]
    advice = "(plan and apply once more, from a new inventory, and remove by that)"
    assert why_not(plan, ledger, listing) == [f"the certificate's inventory lists 3 archives {advice}"]
    assert any("not finished: 10 of 11" in reason for reason in why_not(larger, ledger, certificate))


async def test_a_line_that_a_crash_tore_is_cut_off(tmp_path: Path) -> None:
    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        (run[0].path / "removal.jsonl").write_bytes(b'{"at":"2026-')
        assert await removal(client, run, Stepping(glacier)).remove("photos") is Removal.DONE
    assert len(read_removal(run[0].path)) == 2
    (run[0].path / "removal.jsonl").write_bytes(b"{}\n")
    with pytest.raises(AuditDamaged, match=r"removal\.jsonl, byte 0, record 0: not a line of it"):
        read_removal(run[0].path)


async def test_the_vault_is_not_asked_for_while_the_disk_takes_no_line_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_files: FolderFiles, _name: str, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with simulated(archives=10) as (glacier, client):
        run = await proven(glacier, client, tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(FolderFiles, "append", full)
            with pytest.raises(DiskFailed, match=r"removal\.jsonl can't be written: No space left on device") as failed:
                await removal(client, run, Stepping(glacier)).remove("photos")
        assert failed.value.exit_code == 3
        assert read_removal(run[0].path) == []
        assert await removal(client, run, Stepping(glacier)).remove("photos") is Removal.DONE
