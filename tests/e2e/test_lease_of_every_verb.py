"""Whatever changes a vault holds its lease: while another host has it, nothing is sent, and what was done is kept."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

import glacier_purge
from glacier_purge.api.clients import Clients
from glacier_purge.api.leasing import leasing
from glacier_purge.aws.access import Access
from glacier_purge.errors import RunLocked
from glacier_purge.lifecycle.phases import Event
from glacier_purge.lifecycle.steps_file import read_steps
from glacier_purge.replica.holder import lease_key
from glacier_purge.settings import Settings
from tests.clients import KEYS, VAULT
from tests.e2e.desk import deletes
from tests.e2e.test_frozen import THEIRS, own, policy, purged_and_frozen, run, told
from tests.replica.s3 import held_by_another_host, pretend_s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.e2e.shell import Said, Shell
    from tests.replica.s3 import PretendS3

__all__ = ["own"]

URL = "s3://purges/vaults"
KEY = f"purges/vaults/{lease_key(VAULT)}"
TERM_SECONDS = 1.5


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendS3]:
    with pretend_s3() as made:
        monkeypatch.setenv("GLACIER_PURGE_REPLICA__URL", URL)
        monkeypatch.setenv("GLACIER_PURGE_REPLICA__ENDPOINT_URL", made.endpoint("here"))
        monkeypatch.setenv("GLACIER_PURGE_REPLICA__LEASE_SECONDS", str(TERM_SECONDS))
        yield made


def elsewhere(s3: PretendS3) -> AbstractContextManager[None]:
    return held_by_another_host(s3, KEY, VAULT, TERM_SECONDS)


def check_kept_out(said: Said) -> None:
    assert said.exit_code == 75, said.err
    assert "another host works on" in said.out + said.err
    assert "process 7 on elsewhere, in /runs/theirs" in said.out + said.err


def epoch(s3: PretendS3) -> tuple[int, bool]:
    document = json.loads(s3.objects[KEY])
    return document["lease_epoch"], document["let_go"]


def test_thaw_waits_for_no_one_and_changes_nothing_that_another_host_works_on(own: Shell, s3: PretendS3) -> None:
    purged_and_frozen(own)
    denied, thaw = policy(own.simulator), ("thaw", "photos", "--confirm-vault", "photos")
    at = ("--endpoint-url", own.simulator.endpoint_url)
    with elsewhere(s3):
        check_kept_out(own(*thaw, *at))
        assert policy(own.simulator) == denied
    done = own(*thaw, *at)
    assert done.exit_code == 0, done.err
    assert len(json.loads(policy(own.simulator) or "")["Statement"]) == 1
    assert epoch(s3) == (8, True)


def test_a_lifecycle_is_abandoned_for_all_hosts_and_by_none_while_another_works_on_it(
    own: Shell, s3: PretendS3
) -> None:
    purged_and_frozen(own)
    place = own.folder / "lifecycle"
    with elsewhere(s3):
        check_kept_out(own("abandon", str(place), "--confirm-vault", "photos"))
        assert read_steps(place)[-1].event is Event.ACCOUNTED
        assert policy(own.simulator) != THEIRS
    done = own("abandon", str(place), "--confirm-vault", "photos", "--output", "json")
    assert done.exit_code == 0, done.err
    assert policy(own.simulator) == THEIRS
    sent = deletes(own.simulator)
    taken = own("take", str(own.folder / "other"), "--from", URL, "--endpoint-url", own.simulator.endpoint_url)
    assert taken.exit_code == 2
    assert "was abandoned at" in taken.err
    assert deletes(own.simulator) == sent


def test_a_lifecycle_that_another_host_went_on_with_is_not_abandoned_here(own: Shell, s3: PretendS3) -> None:
    purged_and_frozen(own)
    place, other = own.folder / "lifecycle", own.folder / "other"
    own.simulator.post("clock", step_seconds=30 * 3600.0)
    at = ("--endpoint-url", own.simulator.endpoint_url)
    assert own("take", str(other), "--from", URL, "--no-wait", "--freeze", *at).exit_code == 75
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    assert run(own, "--freeze", place="other").exit_code == 0
    denied = policy(own.simulator)
    refused = own("abandon", str(place), "--confirm-vault", "photos")
    assert refused.exit_code == 75, refused.err
    assert "another process went on with this lifecycle" in refused.err
    assert policy(own.simulator) == denied == THEIRS


def test_a_vault_is_removed_by_itself_under_its_lease_and_that_is_kept(own: Shell, s3: PretendS3) -> None:
    digest, run_dir = own.planned(), str(own.run_dir)
    assert own.apply(digest).exit_code == 0
    own.simulator.post("clock", step_seconds=30 * 3600.0)
    assert own("verify", run_dir, "--no-wait").exit_code == 75
    own.simulator.post("clock", step_seconds=6 * 3600.0)
    assert own("verify", run_dir).exit_code == 0
    remove = ("delete-vault", run_dir, "--confirm-vault", "photos", "--even-the-last-vault", "--no-wait")
    with elsewhere(s3):
        check_kept_out(own(*remove))
    done = own(*remove, "--output", "json")
    assert (done.exit_code, told(done)["state"]) == (0, "removed"), done.err
    assert epoch(s3) == (8, True)
    assert own("restore", str(own.folder / "other"), "--from", URL).exit_code == 0
    assert (own.folder / "other" / "removal.jsonl").read_bytes() == (own.run_dir / "removal.jsonl").read_bytes()


@pytest.mark.anyio
async def test_buckets_of_one_name_on_loopback_are_several_and_their_leases_too(own: Shell, s3: PretendS3) -> None:
    at = {"url": URL, "lease_seconds": TERM_SECONDS}
    here, there = (Settings.model_validate({"replica": at | {"endpoint_url": s3.endpoint(name)}}) for name in "ab")
    access = Access(endpoint_url=own.simulator.endpoint_url, credentials=KEYS)
    s3.objects.clear()
    async with Clients() as clients, leasing(VAULT, here, clients, access, None) as lease:
        await lease.hold()
        async with leasing(VAULT, here, clients, access, None) as same:
            with pytest.raises(RunLocked, match="another process on this host works on"):
                await same.hold()
        async with leasing(VAULT, there, clients, access, None) as other:  # which is the same one, and asked as another
            with pytest.raises(RunLocked, match="another host works on"):
                await other.hold()


@pytest.mark.anyio
async def test_a_scripts_deletes_are_sent_under_the_lease_which_is_in_its_log(own: Shell, s3: PretendS3) -> None:
    inventory = json.loads(own.simulator.inventory(own.folder / "inventory.json").read_bytes())
    ids = [record["ArchiveId"] for record in inventory["ArchiveList"]]
    settings = glacier_purge.Settings.model_validate(
        {
            "aws": {"endpoint_url": own.simulator.endpoint_url},
            "replica": {"url": URL, "endpoint_url": s3.endpoint("here"), "lease_seconds": TERM_SECONDS},
        }
    )
    log = own.folder / "log"

    async def delete(*, audit_log: object = log) -> list[str]:
        deleting = glacier_purge.delete_archives(VAULT, ids, settings=settings, audit_log=audit_log)  # type: ignore[arg-type]  # a path, or none
        async with aclosing(deleting) as outcomes:
            return [outcome.outcome async for outcome in outcomes]

    for where in (log, None):
        with elsewhere(s3), pytest.raises(RunLocked, match="another host works on"):
            await delete(audit_log=where)
    assert deletes(own.simulator) == 0
    deleting = glacier_purge.delete_archives(VAULT, iter(ids), settings=settings, audit_log=log)
    async with aclosing(deleting) as outcomes:
        assert (await anext(outcomes)).outcome == "deleted"
        assert epoch(s3) == (8, False)
        with pytest.raises(RunLocked, match="on this host works on"):
            await delete(audit_log=None)
    assert epoch(s3) == (8, True)
    assert await delete() == ["deleted"] * len(ids)
    lines = [json.loads(line) for line in (log / "audit/000001.jsonl").read_bytes().splitlines()]
    assert [line["lease_epoch"] for line in lines if line["event"] == "opened"] == [8, 9]
    verified = own("audit", "verify", str(log), "--output", "json")
    assert told(verified)["verdict"] == "sound"
