"""AWS's provider chain, gone through from scratch, in a thread with an event loop of its own.

From scratch, so that changed files and new logins are seen; elsewhere, because some of it blocks (files, a person who
is asked for a code) and all of it may hang.  What can be ended is ended when its time is over.

Roles and logins are kept where the AWS CLI keeps them: whoever gave a code there a moment ago is not asked for another
here, nor by the next command, and a run without a terminal has a place to be logged in from.  The region asked for
reaches every client that the chain opens, STS of a role profile without a region among them.  A role that is asked for
besides is taken with what the chain gave, and its session stays in memory.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC
from functools import cache, partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleProvider,
    AioCredentials,
    AioProcessProvider,
    AioRefreshableCredentials,
    create_credential_resolver,
)
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from aiobotocore.utils import create_nested_client
from botocore.exceptions import BotoCoreError
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.utils import JSONFileCache, parse_timestamp

from glacier_purge.aws.assuming import assumed
from glacier_purge.aws.credentials import Issued, Lifetime
from glacier_purge.aws.helper import Helper
from glacier_purge.aws.mfa import NotAnsweredError, asked_at_terminal
from glacier_purge.aws.profiles import Configuration
from glacier_purge.aws.refusals import NO_PROFILES, none_found, refusal
from glacier_purge.aws.sdk_data import OurServicesOnly
from glacier_purge.aws.tls import bundle_in_force, client_context
from glacier_purge.errors import CredentialsFailed, CredentialsUnreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from glacier_purge.aws.access import Access, StaticCredentials
    from glacier_purge.aws.credentials import Check

_CODE = re.compile(r"[0-9]{6}", re.ASCII)
CODE_SECONDS = 300.0
"""How long a person has for typing a one-time code."""
_END_SECONDS = 1.0
"""How long an attempt that was given up has for ending its helper."""
_ENVIRONMENT = "env"
"""botocore's name for credentials in variables: no process sees a change of its own."""
_NOTHING_OF_THE_USER = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Session variables that keep botocore off the user's files, each (config name, variable, default, conversion)."""


def new_core(access: Access, region: str) -> AioSession:
    """Read the user's configuration, or nothing where credentials are given outright. Raises ``ProfileNotFound``."""
    if access.credentials is not None:
        core = AioSession(session_vars=_NOTHING_OF_THE_USER)
    else:
        core = AioSession(profile=access.profile)
        core.get_scoped_config()  # a missing profile is missed here rather than in the middle of a run
    core.set_config_variable("region", region)
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    return core


@cache
def _loader(data_path: str | None) -> Any:
    """Give the one reader of what the SDK knows of AWS: it keeps what it read, which is a tenth of a second's work for
    each session that has one of its own."""
    loader = create_loader(data_path)
    loader.file_loader = OurServicesOnly()
    return loader


class Chain:
    """The way to credentials for one profile and region."""

    def __init__(self, access: Access, region: str) -> None:
        self._access = access
        self._region = region

    def begin(self, refused_key: str | None, check: Check | None) -> ChainAttempt:
        """Begin to ask, past a kept session whose key was refused; ``check`` sees the set before it is given."""
        profile = self._access.profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
        attempt = ChainAttempt(profile or "default", self._access.credentials_timeout_seconds)
        if self._access.credentials is not None and self._access.role is None:
            attempt.outcome.set_result(_given_outright(self._access.credentials))
        else:
            attempt.start(partial(self._ask, attempt, profile, RoleCache(refused_key), check))
        return attempt

    async def _ask(self, attempt: ChainAttempt, profile: str | None, cache: RoleCache, check: Check | None) -> Issued:
        core = None
        try:
            core = new_core(self._access, self._region)
            issued = await self._issued(core, attempt, cache)
        except CredentialsFailed:
            raise
        except Exception as fault:  # whatever keeps a chain of files, helpers and services from answering
            raise refusal(fault, attempt.doing, profile, _profiles(core)) from fault
        if check is not None:
            await check(issued)
        return issued

    async def _issued(self, core: AioSession, attempt: ChainAttempt, cache: RoleCache) -> Issued:
        access = self._access
        configuration = Configuration(core, os.environ)
        bundle = bundle_in_force(access.ca_bundle, configuration)
        core.set_default_client_config(
            _ChainConfig(
                connect_timeout=access.connect_timeout_seconds,
                read_timeout=access.request_timeout_seconds,
                use_fips_endpoint=True if access.use_fips_endpoint else None,
                retries={"total_max_attempts": 3, "mode": "standard"},  # the whole chain is gone through again later
                http_session_cls=partial(_ChainHttpSession, tls=partial(client_context, bundle)),
            )
        )
        core.register("before-call", attempt.asks)
        core.register("before-parse", _hold_to_promise)
        if access.role is None:
            return (await self._from_chain(core, attempt, cache))[0]
        if access.credentials is not None:
            base = _given_outright(access.credentials)
            holder = AioCredentials(base.access_key, base.secret_key, base.token)
        else:
            base, holder = await self._from_chain(core, attempt, cache)
        attempt.is_for(f"role {access.role.arn}")
        session = await assumed(access.role, holder, partial(_sts, core, self._region, access, configuration))
        return Issued(
            access_key=_sendable(session.access_key),
            secret_key=session.secret_key,
            token=_sendable(session.token),
            given_by=attempt.doing,
            expires=session.expires.astimezone(UTC),
            is_renewed=base.lifetime is not Lifetime.TEMPORARY,
        )

    async def _from_chain(self, core: AioSession, attempt: ChainAttempt, cache: RoleCache) -> tuple[Issued, Any]:
        """Give the set that the chain comes to, and botocore's own holder of it."""
        resolver = create_credential_resolver(core, cache=cache, region_name=self._region)
        _put_in(resolver, core, attempt)
        provider = await resolver.load_credentials()
        if provider is None:
            raise none_found(core.full_config["profiles"], core.profile)
        if isinstance(provider, AioRefreshableCredentials):
            # What was had this moment is not had once more because it lasts for less than the SDK would like.
            provider._advisory_refresh_timeout = provider._mandatory_refresh_timeout = float("-inf")  # noqa: SLF001
        frozen = await provider.get_frozen_credentials()
        expires = getattr(provider, "_expiry_time", None)
        issued = Issued(
            access_key=_sendable(frozen.access_key),
            secret_key=frozen.secret_key,
            token=None if frozen.token is None else _sendable(frozen.token),
            given_by=attempt.doing,
            expires=None if expires is None else expires.astimezone(UTC),
            is_renewed=expires is not None and provider.method != _ENVIRONMENT,
        )
        return issued, provider


def _given_outright(given: StaticCredentials) -> Issued:
    key, secret, token = given.access_key_id, given.secret_access_key, given.session_token
    return Issued(access_key=key, secret_key=secret, token=token, given_by="the caller")


def _sts(core: AioSession, region: str, access: Access, configuration: Configuration, service: str, **keys: Any) -> Any:
    """Open a client of STS; a pretended AWS is asked for a role in it, where nothing else is said."""
    here = access.endpoint_url if access.is_pretended and configuration.endpoint(service) is None else None
    return create_nested_client(core, service, region_name=region, endpoint_url=here, **keys)


class ChainAttempt:
    """One way through the chain (``credentials.Attempt``) of a profile, which has ``seconds`` for it."""

    def __init__(self, profile: str, seconds: float) -> None:
        self.outcome: Future[Issued | CredentialsFailed] = Future()
        self.outcome.set_running_or_notify_cancel()
        self.doing = f"AWS's chain of credentials for profile {profile}"
        self._whose = f"profile {profile}"
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._given_up = Event()
        self._end: Callable[[], object] = self._given_up.set

    def start(self, ask: Callable[[], Awaitable[Issued]]) -> None:
        """Do it, in a thread that nothing waits for when the process ends."""
        self._thread = Thread(target=self._go_through, args=(ask,), name="credentials", daemon=True)
        self._thread.start()

    def seconds_left(self) -> float:
        """How long it may take yet."""
        return self._until - time.monotonic()

    def give_up(self) -> None:
        """End it, and the helper it may have started."""
        if self.outcome.done():
            return
        self._given_up.set()
        with suppress(RuntimeError):  # its loop has ended meanwhile
            self._end()
        self._thread.join(_END_SECONDS)

    def asks(self, model: Any, **_: object) -> None:
        """Note that a service is asked (the SDK's event ``before-call``)."""
        self.doing = f"{model.service_model.service_id}'s {model.name} for {self._whose}"

    def is_for(self, whose: str) -> None:
        """Note for whom services are asked from now on."""
        self._whose = whose

    def ask_person(self, prompt: str) -> str:
        """Ask for a code, which takes as long as a person takes. Raises ``NotAnsweredError``."""
        before, self.doing = self.doing, f"{prompt.strip().rstrip(':')} (asked for at the terminal)"
        self._until = time.monotonic() + CODE_SECONDS
        code = asked_at_terminal(prompt, seconds=CODE_SECONDS, given_up=self._given_up.is_set)
        if not _CODE.fullmatch(code):
            raise NotAnsweredError("what was typed is no code of six digits")
        self.doing = before
        self._until = time.monotonic() + self._seconds
        self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
        return code

    def _go_through(self, ask: Callable[[], Awaitable[Issued]]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop()  # or what it is to run would be made for nothing where none can be
                runner.run(self._run(ask))
        except OSError as error:  # too few files may be open for a loop
            self.outcome.set_exception(error)

    async def _run(self, ask: Callable[[], Awaitable[Issued]]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._end = partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)
        try:
            async with asyncio.timeout(self._seconds) as self._limit:
                outcome: Issued | CredentialsFailed = await ask()
        except CredentialsFailed as failure:
            outcome = failure
        except TimeoutError:
            outcome = CredentialsUnreachable(
                f"{self.doing} gave no answer within {self._seconds:,.0f} s and was ended. Try it by itself; if it "
                "needs longer, set aws.credentials_timeout_seconds."
            )
        except asyncio.CancelledError:
            outcome = CredentialsUnreachable(f"{self.doing} was given up.")
        except Exception as error:
            self.outcome.set_exception(error)  # a bug, to be raised where somebody sees it
            return
        self.outcome.set_result(outcome)


class RoleCache(JSONFileCache):  # type: ignore[misc]  # botocore publishes no types
    """Sessions of roles and logins as the AWS CLI keeps them, in its own place. What cannot be kept is not.

    The session with ``refused_key`` is as good as none.
    """

    def __init__(self, refused_key: str | None) -> None:
        self._refused_key = refused_key
        super().__init__(os.path.expanduser("~/.aws/cli/cache"))  # noqa: PTH111 - where there is no home, a name like any other

    def __contains__(self, key: str) -> bool:
        try:
            kept = self[key]["Credentials"]
            parse_timestamp(kept["Expiration"])
            is_whole = all(isinstance(kept[name], str) and kept[name] for name in _KEPT)
            return is_whole and kept["AccessKeyId"] != self._refused_key
        except (KeyError, TypeError, ValueError):  # none, or no such document: as good as none
            return False

    def __setitem__(self, key: str, session: Mapping[str, Any]) -> None:
        with suppress(OSError):  # no home, or one that cannot be written: it is had again next time
            super().__setitem__(key, session)


class _ChainConfig(AioConfig):  # type: ignore[misc]  # aiobotocore publishes no types
    """Settings that reach every client of the chain, also where the chain adds some of its own."""

    def merge(self, other_config: AioConfig) -> AioConfig:
        merged = super().merge(other_config)
        merged.http_session_cls = self.http_session_cls
        return merged


class _ChainHttpSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore publishes no types
    """The SDK's HTTP session, with the TLS context of all else that is sent."""

    def __init__(self, *options: Any, tls: Callable[[], ssl.SSLContext], **more: Any) -> None:
        super().__init__(*options, **more)
        self._tls = tls

    def _create_connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self._max_pool_connections, ssl=self._tls(), **self._connector_args)


_STS, _PORTAL = (b"<AccessKeyId>", b"<Error>"), (b'"accessKeyId"', b"")
_PROMISED = {"AssumeRole": _STS, "AssumeRoleWithWebIdentity": _STS, "GetRoleCredentials": _PORTAL}
"""What has to stand in an answer of those who give credentials, in one that gives some and in one that refuses."""
_KEPT = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


def _hold_to_promise(response_dict: Mapping[str, Any], operation_model: Any, **_: object) -> None:
    """Take no page for an answer (the SDK's event ``before-parse``): its parser breaks down over one."""
    given, refused = _PROMISED.get(operation_model.name, (b"", b""))
    if (given if response_dict["status_code"] < 300 else refused) not in response_dict["body"]:
        raise ResponseParserError(f"{operation_model.name} was answered by something in between, with no credentials")


def _put_in(resolver: Any, core: AioSession, attempt: ChainAttempt) -> None:
    """Put our ways of starting helpers and of asking people where botocore has its own."""

    def helper(profile: str) -> Helper:
        def begins(asked: str) -> None:
            attempt.doing = asked

        return Helper(profile, lambda: core.full_config, begins)

    for place, provider in enumerate(resolver.providers):
        if isinstance(provider, AioProcessProvider):
            resolver.providers[place] = helper(provider._profile_name)  # noqa: SLF001 - no public way
        elif isinstance(provider, AioAssumeRoleProvider):
            provider._prompter = attempt.ask_person  # noqa: SLF001 - no public way
            provider._profile_provider_builder._create_process_provider = helper  # noqa: SLF001 - no public way


def _profiles(core: AioSession | None) -> Mapping[str, Mapping[str, Any]]:
    try:
        profiles: Mapping[str, Mapping[str, Any]] = {} if core is None else core.full_config["profiles"]
    except BotoCoreError:  # unreadable, which is what is told in any case
        return NO_PROFILES
    return profiles


def _sendable(part: str) -> str:
    """Refuse a key or token that could not stand in a header, as a damaged file may yield."""
    if not (part.isascii() and part.isprintable()):
        raise CredentialsFailed("the AWS credentials hold characters no credentials have. Check where they come from.")
    return part
