"""The one place that opens what reaches AWS, and closes it again; whoever asks the service is handed it.

An SDK client weighs megabytes and a TLS context takes its time, and a fleet has hundreds of vaults behind one account.
So for each ``Access`` and region a process has one session (TLS context) and one SDK client with its connections, which
everything asks through that is no delete; and one source of credentials for each profile, region and endpoint, however
else they are reached, so that nobody is asked twice for one code.  Deletes keep as many connections busy as they may
have.  They get theirs apart, so that what is asked beside them, as whether the vault is on hold, never waits behind.

What is heavy is opened, and imported, when it is first asked for.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio
import structlog

from glacier_purge.api.transport import choose
from glacier_purge.aws.endpoints import check_endpoint_url
from glacier_purge.clock import utc_now
from glacier_purge.errors import (
    ConfigurationFailed,
    CredentialsFailed,
    CredentialsUnreachable,
    RunStopped,
    WrongAccount,
)
from glacier_purge.glacier.control import ControlRefused
from glacier_purge.glacier.reply import Meaning
from glacier_purge.glacier.request_ids import SeenRequestIds
from glacier_purge.glacier.sdk.patience import FIRST_QUESTION, ControlRetry
from glacier_purge.glacier.service_clock import ServiceClock
from glacier_purge.invariants import check_asserts_stay_on
from glacier_purge.plan.migration.proofs import Stores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from glacier_purge.api.transport import Transport, WantedTransport
    from glacier_purge.archive import Vault
    from glacier_purge.aws.access import Access
    from glacier_purge.aws.bucket import Bucket, BucketAccess
    from glacier_purge.aws.credentials import Caller, CredentialSource, Issued, Lifetime
    from glacier_purge.aws.session import AwsSession
    from glacier_purge.glacier.control import GlacierControl
    from glacier_purge.glacier.port import Glacier, VaultDescription
    from glacier_purge.glacier.recording import Recording

_PATIENT = ControlRetry()
_BUCKET_REQUESTS_MAX = 4
_log: Any = structlog.wrap_logger(logging.getLogger(__name__))


class Clients:
    """All that a process has open towards AWS, closed when its context ends.

    Every method raises ``ConfigurationFailed`` for an unknown profile and ``UsageError`` for a region, endpoint, file
    of certificates or record of the wire that can't be used, before anything is sent.  ``sleep`` is how it is waited
    between two tries of a question, ``retry`` how often one about a vault is tried.
    """

    def __init__(
        self, *, sleep: Callable[[float], Awaitable[None]] = anyio.sleep, retry: ControlRetry = _PATIENT
    ) -> None:
        check_asserts_stay_on()
        self.clock = ServiceClock(utc_now)
        """What time it is for AWS, by what was heard from it."""
        self._opened = AsyncExitStack()
        self._first_retry, self._retry = replace(FIRST_QUESTION, sleep=sleep), replace(retry, sleep=sleep)
        self._regions: dict[tuple[Access, str], _Region] = {}
        self._sources: dict[tuple[object, ...], CredentialSource] = {}
        self._recordings: dict[Path, Recording] = {}
        self._buckets: dict[tuple[BucketAccess, Access, str], Bucket] = {}
        self._seen = SeenRequestIds()
        """The request ids of all replies, to whatever and of whichever vault."""

    @classmethod
    def for_many_vaults(cls, *, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> Self:
        """Clients for who looks at many vaults: each question about one gets the patience of a first one."""
        return cls(sleep=sleep, retry=FIRST_QUESTION)

    async def __aenter__(self) -> Self:
        await self._opened.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)

    def know(self, request_ids: Iterable[str]) -> None:
        """Take replies with these request ids for repeated ones: an earlier process got them."""
        for request_id in request_ids:
            self._seen.is_new(request_id)

    async def control(self, vault: Vault, access: Access) -> GlacierControl:
        """Give the client for everything around the deletes of ``vault``, after a check whose credentials these are.

        Raises ``CredentialsFailed`` for another account's and for the root user's, ``NoAnswer`` when AWS does not say.
        """
        await self._check_caller(vault, access)
        return await self.control_for_anybody(vault, access)

    async def control_for_anybody(self, vault: Vault, access: Access) -> GlacierControl:
        """Give the same client without the check, for who looks what is wrong: the wrong caller is a finding there."""
        from glacier_purge.glacier.sdk.control_client import ControlClient  # noqa: PLC0415 - heavy

        region = self._region(access, vault.region)
        region.session.credentials.check_renewed_by(partial(self._check_renewed, vault, access))
        return ControlClient(await region.client(), vault, region.session, self._retry)

    def telling_renewals(
        self, access: Access, region: str, renewed: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Have ``renewed`` called whenever requests are signed with another set of credentials."""
        return self._region(access, region).session.credentials.telling(renewed)

    @asynccontextmanager
    async def service(self, vault: Vault, access: Access, wanted: WantedTransport) -> AsyncIterator[Glacier]:
        """Open the way that deletes from ``vault`` travel, the one that suits the surroundings, after the same check.

        Raises as ``control`` does.
        """
        await self._check_caller(vault, access)
        choice = choose(wanted, self._region(access, vault.region).session.proxy)
        _log.info("transport.chosen", transport=choice.name, because=choice.reason)
        async with self.service_over(choice.name, vault, access) as service:
            yield service

    @asynccontextmanager
    async def service_over(self, transport: Transport, vault: Vault, access: Access) -> AsyncIterator[Glacier]:
        """Open that way by name and for anybody; leaving the context closes every connection it had to itself."""
        from glacier_purge.glacier.sdk.client import SdkGlacier  # noqa: PLC0415 - heavy

        region = self._region(access, vault.region)
        region.session.credentials.check_renewed_by(partial(self._check_renewed, vault, access))
        as_sdk = partial(SdkGlacier, vault=vault, session=region.session, id_rule=access.id_rule)
        if transport == "sdk":
            async with region.new_client() as client:
                yield as_sdk(client)
            return
        from glacier_purge.glacier.http.rest import open_rest  # noqa: PLC0415 - not needed by who only looks

        async with open_rest(as_sdk(await region.client()), access, self._seen, region.recording) as service:
            yield service

    async def try_way(self, vault: Vault, access: Access, wanted: WantedTransport) -> str:
        """Go the way that deletes would travel, up to where they would be sent, and say in words which it is.

        What is asked through the SDK shows the SDK's.  Raises ``UsageError`` for a transport that goes past the proxy,
        ``NotTrusted`` for a certificate that does not hold, and ``NoAnswer`` when no connection comes about.
        """
        from glacier_purge.glacier.http.dial import NotConnectedError  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.http.rest import open_rest  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.sdk.answers import as_error  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.sdk.client import SdkGlacier  # noqa: PLC0415 - heavy

        region = self._region(access, vault.region)
        choice = choose(wanted, region.session.proxy)
        if choice.name == "rest":
            sdk = SdkGlacier(await region.client(), vault=vault, session=region.session, id_rule=access.id_rule)
            try:
                async with open_rest(sdk, access, self._seen) as service:
                    await service.connect()
            except NotConnectedError as fault:
                raise as_error(fault.reply, "DeleteArchive", vault.arn) from fault
        return f"by {choice.name} ({choice.reason}), {region.session.way}"

    async def caller(self, access: Access, region: str) -> Caller:
        """Say whom the credentials belong to; AWS is asked once for each set of them.

        Raises ``CredentialsFailed`` when AWS does not take them, ``NoAnswer`` when it does not say.
        """
        return await self._region(access, region).caller()

    async def lifetime(self, access: Access, region: str) -> Lifetime:
        """Say how long the credentials last. Raises ``CredentialsFailed`` when there are none."""
        return await self._region(access, region).session.credentials.lifetime()

    async def find_vault(self, name: str, access: Access, region: str) -> VaultDescription:
        """Ask for the vault ``name`` in the account of the credentials.

        Raises ``CredentialsFailed`` (none, expired), ``ServiceRefused`` (missing, denied) and ``RunStopped`` (no
        answer).
        """
        from glacier_purge.glacier.sdk.lookup import find_vault  # noqa: PLC0415 - heavy

        return await find_vault(name, region, await self._region(access, region).client(), self._first_retry)

    async def list_vaults(self, access: Access, region: str, account_id: str | None) -> list[VaultDescription]:
        """Ask for all vaults of ``account_id`` (None: that of the credentials). Raises as ``find_vault`` does."""
        from glacier_purge.glacier.sdk.lookup import list_vaults  # noqa: PLC0415 - heavy

        client = await self._region(access, region).client()
        return await list_vaults(region, account_id, client, self._first_retry)

    def stores(self, access: Access, region: str) -> Stores:
        """Where a migration left its traces: DynamoDB and S3, opened when they are asked."""
        from glacier_purge.aws.dynamodb import scan_table  # noqa: PLC0415 - for migrations only
        from glacier_purge.aws.s3 import open_s3  # noqa: PLC0415 - for migrations only

        return Stores(
            scan_table=lambda table: scan_table(table, self._region(access, region).session),
            open_copies=lambda: open_s3(self._region(access, region).session),
        )

    async def bucket(self, wanted: BucketAccess, access: Access, region: str) -> Bucket:
        """Open a bucket with the credentials that reach ``region``'s vaults, for as long as this is open.

        Raises ``ConfigurationFailed`` for an endpoint that is neither S3's nor loopback, before anything is sent.
        """
        from glacier_purge.aws.s3_bucket import ANSWER_SECONDS, CONNECT_SECONDS, open_bucket  # noqa: PLC0415 - heavy

        key = (wanted, access, region)
        if key not in self._buckets:
            in_time = replace(
                access,
                max_in_flight=_BUCKET_REQUESTS_MAX,
                connect_timeout_seconds=min(access.connect_timeout_seconds, CONNECT_SECONDS),
                request_timeout_seconds=min(access.request_timeout_seconds, ANSWER_SECONDS),
                record_wire=None,
            )
            opened = open_bucket(self._region(in_time, region).session, wanted)
            self._buckets[key] = await self._opened.enter_async_context(opened)
        return self._buckets[key]

    def _region(self, access: Access, name: str) -> _Region:
        from glacier_purge.aws.session import AwsSession  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415 - heavy

        if (access, name) not in self._regions:
            recording = self._recording(access)
            held_to = scrutiny(recording, self._seen, self.clock)
            session = AwsSession(access, name, held_to, self._source(access, name))
            self._regions[access, name] = _Region(session, recording, self._opened, self._first_retry)
        return self._regions[access, name]

    def _recording(self, access: Access) -> Recording | None:
        """Who takes notes on connections, if anybody."""
        path = access.record_wire
        if path is None:
            return None
        from glacier_purge.api.wire_record import begun  # noqa: PLC0415 - seldom asked for

        if path not in self._recordings:
            self._recordings[path] = begun(path)
        return self._recordings[path]

    def _source(self, access: Access, region: str) -> CredentialSource:
        from glacier_purge.aws.chain import Chain  # noqa: PLC0415 - heavy
        from glacier_purge.aws.credentials import CredentialSource  # noqa: PLC0415 - heavy

        key = (access.profile, access.credentials, access.role, access.endpoint_url, region)
        if key not in self._sources:
            self._sources[key] = CredentialSource(Chain(access, region).begin)
            self._opened.callback(self._sources[key].close)
        return self._sources[key]

    async def _check_renewed(self, vault: Vault, access: Access, issued: Issued) -> None:
        """Look whose a renewed key is before anything is signed with it; called from another event loop than ours.

        Raises ``WrongAccount``, and ``CredentialsUnreachable`` when nobody says.
        """
        from glacier_purge.aws.credentials import CredentialSource  # noqa: PLC0415 - heavy
        from glacier_purge.aws.session import AwsSession  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.sdk.caller import caller_identity  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.sdk.client import SdkGlacier  # noqa: PLC0415 - heavy
        from glacier_purge.glacier.sdk.wire import scrutiny  # noqa: PLC0415 - heavy

        held_to = scrutiny(None, SeenRequestIds(), self.clock)
        session = AwsSession(access, vault.region, held_to, CredentialSource.of(issued))
        try:
            if access.knows_callers:
                _check(await caller_identity(session, self._first_retry), vault)
                return
            async with session.client("glacier") as client:  # it has no identities, but knows whose the vault is
                await SdkGlacier(client, vault, session, id_rule=access.id_rule).describe_vault()
        except (ControlRefused, WrongAccount) as refused:
            if isinstance(refused, ControlRefused) and refused.reply.meaning is Meaning.VAULT_MISSING:
                return  # a vault that was removed meanwhile; of another account's it is not said
            if isinstance(refused, ControlRefused) and not refused.is_denied:
                raise CredentialsUnreachable(f"{issued.given_by} gave another key: {refused}") from refused
            raise WrongAccount(
                f"{issued.given_by} gave another key, which is not used: {refused} Use credentials of account "
                f"{vault.account_id}."
            ) from refused
        except (RunStopped, ConfigurationFailed) as fault:
            raise CredentialsUnreachable(
                f"{issued.given_by} gave another key, and nobody says whose: {fault}"
            ) from fault

    async def _check_caller(self, vault: Vault, access: Access) -> None:
        if not access.knows_callers:
            return  # a pretended service has no identities
        _check(await self.caller(access, vault.region), vault)


def _check(caller: Caller, vault: Vault) -> None:
    """Raise ``CredentialsFailed`` for the root user, ``WrongAccount`` where the vault is not the caller's account's."""
    if caller.is_root:
        raise CredentialsFailed(
            f"{caller.arn} is the account's root user, who is not let near a purge. Take a role that may delete "
            "from this vault and nothing else: config/iam/delete.json. Nothing was sent."
        )
    if caller.account_id != vault.account_id:
        raise WrongAccount(
            f"these credentials belong to account {caller.account_id} ({caller.arn}), the vault is {vault.arn}. "
            "Use credentials of that account. Nothing was sent."
        )


class _Region:
    """What is open in one region for one ``Access``: the session, and from the first question on a client."""

    def __init__(
        self, session: AwsSession, recording: Recording | None, opened: AsyncExitStack, retry: ControlRetry
    ) -> None:
        self.session = session
        self._retry = retry
        self.recording = recording
        self._opened = opened
        self._turn = anyio.Lock()
        self._client: Any = None
        self._caller: tuple[str, Caller] | None = None

    @asynccontextmanager
    async def new_client(self) -> AsyncIterator[Any]:
        """Open another client, after a look at where the SDK would send what it is asked."""
        async with self.session.client("glacier") as client:
            check_endpoint_url(client.meta.endpoint_url)
            yield client

    async def client(self) -> Any:
        """Give the client that everything but deletes asks through."""
        async with self._turn:
            if self._client is None:
                self._client = await self._opened.enter_async_context(self.new_client())
            return self._client

    async def caller(self) -> Caller:
        """Say whom the credentials belong to. Those that were renewed since may be another's and are asked about."""
        from glacier_purge.glacier.sdk.caller import caller_identity  # noqa: PLC0415 - heavy

        async with self._turn:
            key_id = (await self.session.credentials.get_frozen_credentials()).access_key
            if self._caller is None or self._caller[0] != key_id:
                self._caller = (key_id, await caller_identity(self.session, self._retry))
            return self._caller[1]
