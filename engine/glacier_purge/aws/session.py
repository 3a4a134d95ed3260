"""The one place that imports aioboto3, and the settings every AWS client of this program shares.

The import takes half a second, so this module is itself imported on first use.

What the SDK and the HTTP client below it do behind one's back is switched off, each thing for a reason: their own
retries, and aiohttp's hidden second try of a DELETE on a dropped connection (every attempt must pass our pacer and our
audit); following redirects (a signed DELETE must not be led elsewhere); reusing a connection on which bytes arrived
unasked, or a reply that was given before (what follows would be read as the answer to the next delete); endpoints from
environment or files (the caller resolves and shows the endpoint); parameter validation (ids are checked by us, more
strictly).  What they leave out is put in: a limit on the whole time a request takes, and one TLS context for all
(``tls``), because they check no certificate behind a proxy and no host name anywhere; and no answer is parsed before it
was held against what its operation promises (``promises``).
"""

from __future__ import annotations

import logging
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentials
from aiobotocore.httpsession import AIOHTTPSession

from glacier_purge.aws.chain import new_core
from glacier_purge.aws.endpoints import (
    check_endpoint_url,
    check_other_endpoint,
    check_region,
    endpoint_of,
    is_loopback,
)
from glacier_purge.aws.faults import configured
from glacier_purge.aws.profiles import Configuration
from glacier_purge.aws.proxies import proxy_for, way_in_words
from glacier_purge.aws.sdk_data import altered_models
from glacier_purge.aws.tls import bundle_in_force, client_context, trust_in_words
from glacier_purge.errors import ConfigurationFailed

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import AsyncIterator, Callable

    from aiohttp.client_proto import ResponseHandler

    from glacier_purge.aws.access import Access
    from glacier_purge.aws.credentials import CredentialSource, FrozenCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrutiny:
    """What replies are held to before the SDK reads them; the service's own knowledge, so it is handed in.

    ``answer`` hears botocore's event ``before-parse`` and raises for an answer that does not hold what it promises;
    ``connections`` makes connections that judge what comes over them.
    """

    answer: Callable[..., None]
    connections: Callable[[asyncio.AbstractEventLoop], ResponseHandler]


class AwsSession:
    """An aioboto3 session whose clients all sign with one ``CredentialSource`` and whose replies pass ``scrutiny``."""

    def __init__(self, access: Access, region: str, scrutiny: Scrutiny, credentials: CredentialSource) -> None:
        """Send nothing. Raise ``ConfigurationFailed`` for what the user's AWS configuration says and can't be, also for
        a file of authorities that nobody can read, and ``UsageError`` for other bad access.
        """
        self._access = access
        self._region = region
        self._scrutiny = scrutiny
        check_region(region, access.endpoint_url)
        self._endpoint_url = None if access.endpoint_url is None else check_endpoint_url(access.endpoint_url)
        if access.role is not None:
            access.role.check()
        _quieten_sdk_logs()
        self.credentials = credentials
        with configured():
            self._core = new_core(access, region)
            self._core.register_component("credential_provider", _Chain(self.credentials))
            self._core.register("before-parse", scrutiny.answer)
            self._session = aioboto3.Session(botocore_session=self._core, region_name=region)
        self._configuration = Configuration(self._core, os.environ)
        self.bundle = bundle_in_force(access.ca_bundle, self._configuration)
        self._check_what_is_said()
        self.proxy = proxy_for(self._endpoint_url or endpoint_of(region))

    @asynccontextmanager
    async def client(self, service: str) -> AsyncIterator[Any]:
        """Open a client, which sends nothing. Raises ``ConfigurationFailed`` for what the SDK can't go by."""
        endpoint_url = self._endpoint_url if service == "glacier" else self._endpoint_of_other(service)
        async with self._client(service, self._region, endpoint_url) as client:
            yield client

    @asynccontextmanager
    async def bucket_client(self, region: str | None, endpoint_url: str | None) -> AsyncIterator[Any]:
        """Open a client of S3 for a bucket of ours, which may be another region's, or on loopback beside a real vault.

        None is the session's region, and what the user's AWS configuration says of S3, or S3's own endpoint.  Raises
        ``ConfigurationFailed`` for an endpoint that is neither S3's nor loopback.
        """
        if endpoint_url is not None:
            check_other_endpoint("s3", endpoint_url, "replica.endpoint_url", pretended=True)
        else:
            endpoint_url = self._endpoint_of_other("s3", on_loopback=True)
        async with self._client("s3", region or self._region, endpoint_url) as client:
            _forget_keys(client)
            yield client

    @asynccontextmanager
    async def _client(self, service: str, region: str, endpoint_url: str | None) -> AsyncIterator[Any]:
        async with AsyncExitStack() as opened:
            with configured():
                client = await opened.enter_async_context(
                    self._session.client(
                        service, region_name=region, endpoint_url=endpoint_url, config=self._config(endpoint_url)
                    )
                )
            yield client

    @cached_property
    def way(self) -> str:
        """How requests to Amazon Glacier travel, and whose word is taken for who answers, in words.

        Said once for all vaults of the session: to know whose word it is takes 20 ms.
        """
        return f"{way_in_words(self.proxy)}, trusting {trust_in_words(self.bundle)}"

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The one context that everything of this session is sent with, made when the first connection is."""
        return client_context(self.bundle, checks=self._access.verify_certificates)

    def _endpoint_of_other(self, service: str, *, on_loopback: bool = False) -> str | None:
        """Where a service beside Amazon Glacier is asked; None: where the SDK finds it.

        A pretended AWS is asked for every service for which nothing else is said.  ``on_loopback``: it may be pretended
        beside a real vault, too.
        """
        said = self._configuration.endpoint(service)
        if said is None:
            return self._endpoint_url if self._access.is_pretended else None
        check_other_endpoint(service, said.value, said.place, pretended=on_loopback or self._access.is_pretended)
        return said.value

    def _check_what_is_said(self) -> None:
        """Refuse what would send requests of this session elsewhere, by the name of what says so."""
        chain = () if self._access.credentials else ("sts", "sso", "sso_oidc")
        for service in chain if self._access.role is None else {*chain, "sts"}:
            self._endpoint_of_other(service)
        dual_stack = self._configuration.wants("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
        if dual_stack is not None and not self._access.is_pretended:
            raise ConfigurationFailed(
                f"{dual_stack.place} asks for dual-stack endpoints, and Amazon Glacier has none. "
                "Set AWS_USE_DUALSTACK_ENDPOINT=false for this command. Nothing was sent."
            )
        for file in altered_models(self._configuration.said("AWS_DATA_PATH", "data_path")):
            raise ConfigurationFailed(
                f"{file} changes what AWS's SDK knows of AWS, and where it sends requests. Move it away, or unset "
                "AWS_DATA_PATH (data_path of the AWS profile) for this command. Nothing was sent."
            )

    def _config(self, endpoint_url: str | None) -> AioConfig:
        access = self._access
        own_endpoint: dict[str, Any] = {"use_fips_endpoint": True} if access.use_fips_endpoint else {}
        if endpoint_url is not None:
            own_endpoint = {"use_fips_endpoint": False, "use_dualstack_endpoint": False}
            if is_loopback(endpoint_url):
                own_endpoint["proxies"] = {}
                own_endpoint["s3"] = {"addressing_style": "path"}  # "bucket.localhost" is nobody's name
        return AioConfig(
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=access.max_in_flight,
            connect_timeout=access.connect_timeout_seconds,
            read_timeout=access.request_timeout_seconds,
            parameter_validation=False,
            ignore_configured_endpoint_urls=True,
            user_agent=self._user_agent(),
            http_session_cls=partial(OneTryHttpSession, connections=self._scrutiny.connections, tls=lambda: self.tls),
            **own_endpoint,
        )

    def _user_agent(self) -> str:
        """Name the SDK, the tool and the user's own application; the SDK adds what it is built on.

        Left to itself, the SDK works its name out twice a call, with much about the machine in it.
        """
        sdk = f"{self._core.user_agent_name}/{self._core.user_agent_version}"
        application = self._core.get_config_variable("user_agent_appid")
        names = (sdk, f"glacier-purge/{version('glacier-purge')}")
        return " ".join(names if application is None else (*names, f"app/{application}"))


class OneTryHttpSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore publishes no types
    """The SDK's HTTP session, with everything aiohttp does behind one's back switched off."""

    def __init__(
        self,
        *options: Any,
        connections: Callable[[asyncio.AbstractEventLoop], ResponseHandler],
        tls: Callable[[], ssl.SSLContext],
        **more: Any,
    ) -> None:
        super().__init__(*options, **more)
        self._connections = connections
        self._tls = tls

    async def _get_session(self, proxy_url: str | None) -> Any:
        if (session := self._sessions.get(proxy_url)) is None:
            client = aiohttp.ClientSession(
                connector=self._create_connector(proxy_url),
                timeout=self._with_total(self._timeout),
                skip_auto_headers={"CONTENT-TYPE"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            client._retry_connection = False  # noqa: SLF001  # no public switch: aio-libs/aiohttp#10790
            await self._exit_stack.enter_async_context(client)
            session = self._sessions[proxy_url] = _OneTry(client)
        return session

    def _create_connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        """Connect with our own TLS context, also behind a proxy, where the SDK's would check nothing at all."""
        connector = _CleanConnector(limit=self._max_pool_connections, ssl=self._tls(), **self._connector_args)
        connector.connect_by(self._connections)
        return connector

    @staticmethod
    def _with_total(timeout: aiohttp.ClientTimeout) -> aiohttp.ClientTimeout:
        """Bound the whole exchange: the SDK bounds each wait for bytes only, so single bytes could drip for ever."""
        total_seconds = None if timeout.sock_read is None else timeout.sock_read + (timeout.sock_connect or 0.0)
        return aiohttp.ClientTimeout(
            total=total_seconds, sock_connect=timeout.sock_connect, sock_read=timeout.sock_read
        )


class _OneTry:
    """An aiohttp session seen by the SDK, which only ever asks it for ``request``."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self.request = partial(client.request, allow_redirects=False)


class _CleanConnector(aiohttp.TCPConnector):
    """A connector that closes an idle connection on which the server spoke unasked."""

    def connect_by(self, connections: Callable[[asyncio.AbstractEventLoop], ResponseHandler]) -> None:
        """Have connections made by ``connections``, which judge what comes over them."""
        self._factory = partial(connections, self._loop)

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None


class _SourceAsCredentials(AioCredentials):  # type: ignore[misc]  # aiobotocore publishes no types
    """The credential source in the shape botocore's signer asks."""

    def __init__(self, source: CredentialSource) -> None:
        super().__init__("", "", method="glacier-purge")
        self._source = source

    async def get_frozen_credentials(self) -> FrozenCredentials:
        return await self._source.get_frozen_credentials()


class _Chain:
    """Stands where botocore keeps its provider chain, so that every client signs with our source."""

    def __init__(self, source: CredentialSource) -> None:
        self._source = source

    async def load_credentials(self) -> _SourceAsCredentials:
        return _SourceAsCredentials(self._source)


def _is_no_failure(record: logging.LogRecord) -> bool:
    """Credentials that could not be had are told by us, and why; the SDK would add a line, and a traceback."""
    return record.levelno < logging.WARNING


def _quieten_sdk_logs() -> None:
    """Keep signatures and tokens out of DEBUG logs, and what is told by us anyway out of all."""
    for name in ("botocore", "aiobotocore"):
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.INFO)
        for chain in ("credentials", "tokens"):
            logging.getLogger(f"{name}.{chain}").addFilter(_is_no_failure)


KEYS_OF_RULES = ("Key", "Prefix", "CopySource")
"""What S3's rules for endpoints are told and look at nowhere (a test reads them)."""


def _forget_keys(client: Any) -> None:
    """Have one evaluation of S3's rules serve all objects of a bucket; else each new key costs a quarter of a PUT."""
    told = client._ruleset_resolver._param_definitions  # noqa: SLF001 - the SDK has no other place for it
    for name in KEYS_OF_RULES:
        told.pop(name, None)
