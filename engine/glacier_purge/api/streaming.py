"""Deletes archives whose ids come from anywhere, and gives back each outcome as it happens: for migration scripts.

The same pool, pacer and retry policies as a run, without its plan and its approval: whoever calls this has decided.
Ids are checked before they are sent; wrong ones come back as outcomes and are never sent.  Nothing is collected.  With
an audit log every outcome is durable there before the caller sees it (``stream_log``); without one nothing is kept, and
the caller decides what to remember.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from glacier_purge.api.clients import Clients
from glacier_purge.api.leasing import leasing
from glacier_purge.api.stream_engine import Book, Engine, NoLog, Unread
from glacier_purge.api.stream_log import open_stream_log, stream_folder
from glacier_purge.api.values import access, endpoint, purge_settings
from glacier_purge.audit.segments import last_request_ids
from glacier_purge.deletion.retry import RetryPolicy, own_policies
from glacier_purge.run.host import Host
from glacier_purge.settings import Settings
from glacier_purge.storage.disk import FileDisk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping

    from tenacity import BaseRetrying

    from glacier_purge.archive import Vault
    from glacier_purge.audit.record import Outcome
    from glacier_purge.aws.access import StaticCredentials


async def delete_archives(
    vault: Vault,
    ids: Iterable[str] | AsyncIterable[str],
    *,
    settings: Settings | None = None,
    credentials: StaticCredentials | None = None,
    audit_log: str | Path | None = None,
    retry: Mapping[str, BaseRetrying] | None = None,
) -> AsyncGenerator[Outcome]:
    """Delete the archives ``ids`` names from ``vault``; yield one ``Outcome`` for each id, in order of completion.

    ``ids`` is read as fast as deletes are sent and is never collected; ``Outcome.ordinal`` counts it from 0.  An
    outcome is "deleted" after a 204 for that id (which says nothing about whether it was still there), "failed" after
    three replies nobody knows, or "invalid" for text that is no archive id.  Throttling and faults of the service or
    the network are waited out for as long as they last.

    ``audit_log`` is a folder, made if it is missing, for the same chained lines that a run writes: ``audit verify`` and
    ``audit export`` take it.  An outcome is durable there before it is yielded, and ids are on record before they are
    sent.  After a crash the same call goes on: an id with an outcome in the log is not sent again and comes back with
    that outcome, ``attempts == 0`` and the code "recorded earlier" ("failed" too: another folder tries it anew); one
    that a crash left in doubt is sent again (``redelete``).  ``Outcome.ordinal`` is then the id's number in the log,
    and an id given twice in one call is sent once and comes back as "duplicate" besides.  It takes some 26 bytes of
    memory for each id in the log, which can hold 67 million.

    ``retry`` has policies of tenacity for "throttled", "server_fault", "no_reply" and "unknown" replies, in place of
    those of the settings: ``{"throttled": AsyncRetrying(stop=stop_after_delay(3600), wait=wait_fixed(5))}``.  Their
    ``stop`` and ``wait`` are asked, with the number of such replies and the time since the id was first sent; what
    they give up is "failed".

    Where the settings name a bucket (``replica``), the vault's lease is held meanwhile: other hosts and other calls
    that are given the same one end with ``RunLocked`` and send nothing, and so does this one where another has it.  The
    log itself is not kept there.

    Raises ``ServiceRefused`` (denied, vault missing or wrong, no longer supported), ``CredentialsFailed`` and
    ``UsageError``; archives without an outcome then may or may not have been sent.  Deletes are idempotent, so all ids
    may be given again.  With an audit log also ``RunLocked`` while another process works on it or on the vault,
    ``AuditDamaged`` and ``DiskFailed``.  An error that ``ids`` raises is raised as it is, after the outcomes of the ids
    before it.

    Source of the deletion rules: Developer Guide, "Delete Archive (DELETE archive)".
    """
    settings = settings if settings is not None else Settings()
    pace, host, own = purge_settings(settings), Host(), own_policies(retry)
    endpoint_url = endpoint(settings, vault.region)
    reached = access(settings, endpoint_url, vault=vault, id_rule=settings.inventory.id_rule, credentials=credentials)
    unread = Unread()
    with nullcontext() if audit_log is None else stream_folder(Path(audit_log), vault, endpoint_url) as folder:
        place = None if folder is None else folder.path
        async with Clients() as clients:
            clients.know([] if folder is None else last_request_ids(FileDisk(folder.path)))
            async with clients.service(vault, reached, settings.aws.transport) as service:

                async def work() -> None:
                    """Done in a task of its own: a lease is renewed by one, which must not stay open across a yield."""
                    async with leasing(vault, settings, clients, reached, place) as lease:
                        await lease.hold(place)
                        here = lease.on(host)
                        book: AbstractAsyncContextManager[Book] = nullcontext(NoLog(unread))
                        if folder is not None:
                            book = open_stream_log(folder, unread.put, pace, here)
                        policy = RetryPolicy(pace.retry, here.random, own)
                        engine = Engine(service, pace, here, policy, is_id=settings.inventory.id_rule.holds)
                        await engine.delete(ids, book, unread)

                async with aclosing(unread.beside(work())) as outcomes:
                    async for outcome in outcomes:
                        yield outcome
