"""The ways in which a wrong request is made: what is done beforehand, and which verb is asked then.

Each gives a function of a ``Desk`` that makes the request and gives the answer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Callable

from msgspec import structs

from glacier_purge.aws.credentials import Caller
from glacier_purge.plan.document import plan_bytes, read_plan
from glacier_purge.proof.certificate import CERTIFICATE_FILE, read_certificate, write_certificate
from glacier_purge.storage.folder import RunFolder
from glacier_purge.storage.locks import LOCK_FILE, vault_locked
from tests.e2e.desk import Desk, asked
from tests.e2e.shell import Said
from tests.e2e.simulator import simulating

Ask = Callable[[Desk], Said]
Spoil = Callable[[Desk], object]


def plan(*options: str, vault: str = "photos") -> Ask:
    return lambda desk: desk.plan_of(vault, *(option.replace("{folder}", str(desk.folder)) for option in options))


def with_settings(text: str, then: Ask) -> Ask:
    def ask(desk: Desk) -> Said:
        desk.config.write_text(text)
        return then(desk)

    return ask


def with_inventory(old: str, new: str, then: Ask) -> Ask:
    """After the first match of ``old`` in the inventory was changed."""

    def ask(desk: Desk) -> Said:
        text = desk.inventory.read_text("utf-8")
        assert re.search(old, text)
        desk.inventory.write_text(re.sub(old, new, text, count=1), "utf-8")
        return then(desk)

    return ask


def with_old_inventory(then: Ask) -> Ask:
    return with_inventory('"InventoryDate":"[^"]*"', '"InventoryDate":"2015-03-01T00:00:00Z"', then)


def with_ids(choose: Callable[[Desk], tuple[str, ...]], *options: str) -> Ask:
    """Plan with a file of ids in the place of ``{ids}``."""

    def ask(desk: Desk) -> Said:
        file = desk.write_ids(*choose(desk))
        return desk.plan_of("photos", *(file if option == "{ids}" else option for option in options))

    return ask


def planned(spoil: Spoil, *options: str) -> Ask:
    """Apply a plan, approved in full, after something was done to it."""

    def ask(desk: Desk) -> Said:
        desk.have_planned()
        spoil(desk)
        return desk.carry_out(*options)

    return ask


def begun(spoil: Spoil, *options: str) -> Ask:
    """Go on with a run that was approved before, after something was done."""

    def ask(desk: Desk) -> Said:
        desk.have_begun()
        spoil(desk)
        return desk.resume(*options)

    return ask


def purge(spoil: Spoil, *options: str) -> Ask:
    """Plan, confirm and apply in one, with the plan's own digest."""

    def ask(desk: Desk) -> Said:
        desk.have_planned()
        digest = desk.digest
        desk.run_dir.rename(desk.folder / "looked-at")
        spoil(desk)
        return desk.purge_of("photos", *(options or ("--confirm-digest", digest)))

    return ask


def run(spoil: Spoil, *options: str, vault: str = "photos") -> Ask:
    def ask(desk: Desk) -> Said:
        spoil(desk)
        return desk.run_of(vault, *options)

    return ask


def approve(*options: str) -> Ask:
    """Ask for a plan to be applied, with an approval of one's own making."""

    def ask(desk: Desk) -> Said:
        desk.have_planned()
        given = [desk.digest[:-1] if option == "{short}" else option for option in options]
        return desk.ask("apply", str(desk.run_dir), *given)

    return ask


def typed(text: str) -> Ask:
    def ask(desk: Desk) -> Said:
        desk.have_planned()
        with desk.typing(text):
            return desk.ask("apply", str(desk.run_dir))

    return ask


def edited(name: str, old: str, new: str) -> Spoil:
    return lambda desk: desk.edit(name, old, new)


def settings(text: str) -> Spoil:
    return lambda desk: desk.config.write_text(text)


def environment(name: str, value: str, then: Ask) -> Ask:
    def ask(desk: Desk) -> Said:
        desk.monkeypatch.setenv(name, value)
        return then(desk)

    return ask


def without_endpoint(desk: Desk) -> Said:
    given = ("--inventory", str(desk.inventory), "--run-dir", str(desk.run_dir))
    return desk.ask("plan", "photos", *given)


# -- what is done to a plan, a folder or the vault ---------------------------------------------------------------------


def nothing(desk: Desk) -> None:
    pass


def one_decision_byte(desk: Desk) -> None:
    decisions = bytearray((desk.run_dir / "decisions").read_bytes())
    decisions[5] = 1
    (desk.run_dir / "decisions").write_bytes(decisions)


def one_decision_more(desk: Desk) -> None:
    with (desk.run_dir / "decisions").open("ab") as file:
        file.write(b"\0")


def half_of(name: str) -> Spoil:
    def spoil(desk: Desk) -> None:
        content = (desk.run_dir / name).read_bytes()
        (desk.run_dir / name).write_bytes(content[: len(content) // 2])

    return spoil


def without(name: str) -> Spoil:
    return lambda desk: (desk.run_dir / name).unlink()


def another_inventory(desk: Desk) -> None:
    """As good as the first one, and of the same vault: an archive shorter."""
    document = json.loads(desk.inventory.read_bytes())
    document["ArchiveList"] = document["ArchiveList"][:-1]
    (desk.run_dir / "inventory.json").write_text(json.dumps(document, separators=(",", ":")))


def plan_of_another_vault(desk: Desk) -> None:
    """Whoever knows the format can make the digest inside fit: then it is not the one that was approved."""
    file = desk.run_dir / "plan.json"
    edited("run.json", "vaults/photos", "vaults/videos")(desk)
    other = structs.replace(read_plan(file), vault_name="videos")
    file.write_bytes(plan_bytes(other, hashlib.sha256((desk.run_dir / "run.json").read_bytes()).hexdigest()))


def read_anew(spoil: Spoil) -> Spoil:
    """Spoil a log that has to be read from its beginning: with a checkpoint only what stands after it is read."""

    def both(desk: Desk) -> None:
        spoil(desk)
        for checkpoint in desk.run_dir.glob("checkpoint*"):
            checkpoint.unlink()

    return both


def open_to_others(desk: Desk) -> None:
    desk.run_dir.chmod(0o770)


def behind_a_link(desk: Desk) -> None:
    desk.run_dir.rename(desk.folder / "elsewhere")
    desk.run_dir.symlink_to(desk.folder / "elsewhere")


def hold(desk: Desk) -> None:
    desk.tag("LegalHold", "true")


def tag_against_purging(desk: Desk) -> None:
    desk.tag("purge:deny", "")


def policy_against_deleting(desk: Desk) -> None:
    desk.have_policy(Sid="KeepThem")


def lock_in_progress(desk: Desk) -> None:
    desk.lock()


def dated(moment: str) -> Spoil:
    """A run planned at another time: its plan has the hash of the file that says so."""

    def plan_then(desk: Desk) -> None:
        edited("run.json", '("created": )"[^"]*"', rf'\g<1>"{moment}"')(desk)
        sha256 = hashlib.sha256((desk.run_dir / "run.json").read_bytes()).hexdigest()
        edited("plan.json", '("run_sha256": )"[^"]*"', rf'\g<1>"{sha256}"')(desk)

    return plan_then


def one_id_denied(desk: Desk) -> None:
    desk.deny_ids(desk.ids[7])


def without_credentials(desk: Desk) -> None:
    desk.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    desk.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def answers(kind: str, operation: str) -> Spoil:
    return lambda desk: desk.answer_with(kind, operation)


def for_aws(desk: Desk, *options: str) -> Said:
    """Plan for AWS itself, which takes no request, and purge."""
    given = ("--inventory", str(desk.inventory), "--run-dir", str(desk.run_dir), "--account-id", "123456789012")
    return desk.ask("purge", "photos", *given, "--in-retrieval", "delete", *options)


def caller_is(arn: str) -> Ask:
    """AWS itself can't be asked here whose credentials these are; its answer stands in the place of the question."""

    async def caller(*_: object) -> Caller:
        return Caller(account_id=arn.split(":")[4], arn=arn)

    def ask(desk: Desk) -> Said:
        desk.monkeypatch.setattr("glacier_purge.glacier.sdk.caller.caller_identity", caller)
        plan = ("--inventory", str(desk.inventory), "--account-id", "123456789012", "--region", "us-east-1")
        made = desk.ask("plan", "photos", *plan, "--run-dir", str(desk.run_dir), "--in-retrieval", "delete")
        assert made.exit_code == 0, made
        desk.digest = json.loads((desk.run_dir / "plan.json").read_bytes())["digest"]
        return desk.carry_out()

    return ask


def in_a_sealed_vault(desk: Desk) -> Said:
    """A lock that is complete is there for ever, so it gets a vault of its own."""
    desk.service("PUT", "sealed")
    desk.service("POST", f"sealed/lock-policy/{desk.lock('sealed')}")
    return of_vault("sealed")(desk)


def of_vault(name: str) -> Ask:
    """Plan and apply by an inventory that says it is of that vault."""
    return with_inventory("vaults/photos", f"vaults/{name}", lambda desk: purge_whole(desk, name))


def purge_whole(desk: Desk, vault: str) -> Said:
    made = desk.plan_of(vault)
    assert made.exit_code == 0, made
    desk.digest = json.loads((desk.run_dir / "plan.json").read_bytes())["digest"]
    return desk.carry_out()


def in_retrieval(desk: Desk) -> Said:
    """The one archive of a vault, which somebody is retrieving."""
    with simulating(archives=1, latency_ms=1.0) as other:
        inventory = other.inventory(desk.folder / "inventory.json")
        (record,) = json.loads(inventory.read_bytes())["ArchiveList"]
        asked(other, "POST", "photos/jobs", {"Type": "archive-retrieval", "ArchiveId": record["ArchiveId"]})
        return plan("--endpoint-url", other.endpoint_url)(desk)


def a_run_held_elsewhere(desk: Desk) -> Said:
    """A process has the lock of the run's folder."""
    desk.have_planned()
    with (desk.run_dir / LOCK_FILE).open("w") as held:
        held.write("process 4242 of alice")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        return desk.carry_out()


def a_vault_held_elsewhere(desk: Desk) -> Said:
    """A process of another run has the vault's lock; that the state folder is another makes no difference."""
    desk.have_planned()
    known = read_plan(desk.run_dir / "plan.json")
    with vault_locked(known.vault, known.endpoint_url, desk.folder / "another-run"):
        desk.monkeypatch.setenv("XDG_STATE_HOME", str(desk.folder / "another-state"))
        return desk.carry_out()


def of_a_vault_never_inventoried(desk: Desk) -> Said:
    desk.service("PUT", "fresh")
    return with_inventory("vaults/photos", "vaults/fresh", with_old_inventory(plan(vault="fresh")))(desk)


def planned_knowingly_with_an_old_inventory(desk: Desk) -> Said:
    old = with_old_inventory(plan("--inventory-max-age", "none"))(desk)
    assert old.exit_code == 0, old
    desk.digest = json.loads((desk.run_dir / "plan.json").read_bytes())["digest"]
    return desk.carry_out()


def lifecycle_of_another_vault(desk: Desk) -> Said:
    assert desk.run_of("photos").exit_code == 75
    desk.service("PUT", "films")
    return desk.run_of("films")


def first(spoil: Spoil, then: Ask) -> Ask:
    """Do something to the desk, then ask."""

    def ask(desk: Desk) -> Said:
        spoil(desk)
        return then(desk)

    return ask


# -- removing the vault ------------------------------------------------------------------------------------------------


def removal(spoil: Spoil, *, confirm: str = "photos") -> Ask:
    """Remove the vault of a run that was carried out and proven, after something was done to the run."""

    def ask(desk: Desk) -> Said:
        desk.have_proven()
        spoil(desk)
        return desk.ask("delete-vault", str(desk.run_dir), "--confirm-vault", confirm, "--no-wait")

    return ask


def removal_of_a_plan(desk: Desk) -> Said:
    desk.have_planned()
    return desk.ask("delete-vault", str(desk.run_dir), "--confirm-vault", "photos", "--no-wait")


def unproven(desk: Desk) -> None:
    (desk.run_dir / CERTIFICATE_FILE).unlink()


def with_stragglers(desk: Desk) -> None:
    """As if the later inventory had listed archives that nobody planned with; the certificate's digest fits."""
    folder = RunFolder(desk.run_dir)
    certificate = read_certificate(folder)
    assert certificate is not None
    found = structs.replace(certificate.found, listed=3, new_since=3)
    write_certificate(folder, structs.replace(certificate, found=found))


def of_another_run(desk: Desk) -> None:
    folder = RunFolder(desk.run_dir)
    certificate = read_certificate(folder)
    assert certificate is not None
    write_certificate(folder, structs.replace(certificate, plan_digest="0" * 64))
