"""Proves a run: by a later inventory, held against its audit log; with a certificate where that comes out well."""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.api.news import news_of
from glacier_purge.api.replicating import of_run, opened_bucket
from glacier_purge.api.values import access, sign_key
from glacier_purge.aws.bucket import BucketAway
from glacier_purge.glacier.service_clock import OnServiceTime
from glacier_purge.inventory.fetching.job_choice import ANY_JOB, WantedJob
from glacier_purge.lifecycle.readiness import drop_unusable
from glacier_purge.proof.certificate import CERTIFICATE_FILE
from glacier_purge.proof.reconcile import (
    KEPT_GONE_FILE,
    NEVER_DELETED_FILE,
    NEW_SINCE_FILE,
    STILL_LISTED_FILE,
    VERIFICATION_FOLDER,
)
from glacier_purge.proof.verifying import Verifying
from glacier_purge.report.results.running import Verified
from glacier_purge.run.host import who

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier_purge.api.clients import Clients
    from glacier_purge.api.telling import Telling
    from glacier_purge.aws.access import StaticCredentials
    from glacier_purge.glacier.waiting import Waiter
    from glacier_purge.plan.document import Plan
    from glacier_purge.proof.verifying import Verdict
    from glacier_purge.report.results.running import Proof
    from glacier_purge.settings import Settings
    from glacier_purge.storage.folder import RunFolder


async def proven(
    folder: RunFolder,
    plan: Plan,
    settings: Settings,
    clients: Clients,
    waiter: Waiter,
    say: Callable[[str], None],
    *,
    wanted: WantedJob = ANY_JOB,
    credentials: StaticCredentials | None = None,
    telling: Telling | None = None,
) -> Verified:
    """Wait for an inventory made after the last deletion, and say what it proves of the run in ``folder``.

    ``wanted`` is the inventory job to take; ``say`` is told of those that are passed over.  Raises ``RunLocked``, as
    ``Verifying.verify`` and ``Clients.control`` do, and ``Pending`` as ``waiter`` has it.
    """
    reached = access(
        settings, plan.endpoint_url, vault=plan.vault, id_rule=plan.snapshot.id_rule, credentials=credentials
    )
    again = f"glacier-purge verify {shlex.quote(str(folder.path.absolute()))}"
    async with AsyncExitStack() as held:
        held.enter_context(folder.held())
        news = await held.enter_async_context(news_of(folder, plan.vault_name, telling, now=waiter.now, again=again))
        news.about(plan)
        await drop_unusable(folder.path / VERIFICATION_FOLDER, plan.vault)
        control = await clients.control(plan.vault, reached)
        waiter = OnServiceTime(news.waiting(waiter), clients.clock, say)
        verifying = Verifying(control, folder, plan, waiter, say, by=who(), wanted=wanted, sign_key=sign_key(settings))
        verified = _told(folder, await verifying.verify())
        if (bucket := await opened_bucket(settings, clients, reached, plan.vault.region)) is not None:
            try:
                await of_run(bucket, folder, plan).keep()
            except BucketAway as away:
                say(f"the certificate is not in the replica: {away} The same command writes it there.")
        news.finished(
            f"A later inventory of {plan.vault_name} was held against what was deleted: {verified.state}.",
            exit_code=0 if is_as_it_should_be(verified) else 1,
            certificate=verified.certificate_digest,
            kept=verified.kept,
            kept_gone=verified.kept_gone,
        )
    return verified


def is_as_it_should_be(verified: Verified) -> bool:
    """Whether everything deleted is gone, nothing else is there, and nothing is gone that was kept."""
    return verified.certificate is not None and not verified.new_since and not verified.kept_gone


def _state(verdict: Verdict) -> Proof:
    if verdict.certificate is None:
        return "not proven"
    return "proven, but archives that were kept are gone" if verdict.found.kept_gone else "proven"


def _told(folder: RunFolder, verdict: Verdict) -> Verified:

    found, certificate = verdict.found, verdict.certificate
    place = folder.path / VERIFICATION_FOLDER
    files = {
        "still_listed_ids": (found.still_listed, place / STILL_LISTED_FILE),
        "never_deleted_ids": (found.never_deleted, place / NEVER_DELETED_FILE),
        "new_since_ids": (found.new_since, place / NEW_SINCE_FILE),
        "kept_gone_ids": (found.kept_gone, place / KEPT_GONE_FILE),
    }
    named = {name: str(file) for name, (count, file) in files.items() if count}
    return Verified(
        state=_state(verdict),
        vault_is_empty=found.vault_is_empty,
        inventory_date=verdict.inventory_date,
        **(msgspec.structs.asdict(found) | {"kept_gone_first": ", ".join(found.kept_gone_first)} | named),
        certificate=None if certificate is None else str(folder.path / CERTIFICATE_FILE),
        certificate_digest=None if certificate is None else certificate.digest,
        run_dir=str(folder.path),
    )
