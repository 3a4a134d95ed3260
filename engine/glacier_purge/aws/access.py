"""How the service is reached: credentials, endpoint and limits of the connection, as one value for every transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glacier_purge.archive import EXACT, IdRule
from glacier_purge.aws.endpoints import is_loopback
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from glacier_purge.aws.roles import Role

IN_FLIGHT_MAX = 64
"""Requests under way at most, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCredentials:
    """Credentials given outright, as for a pretended service. Secrets never show in a ``repr``."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What every transport needs to know before it can send.

    ``endpoint_url`` is the caller's choice, already resolved (None: the region's own); the AWS_ENDPOINT_URL
    variables are not read here.  ``use_fips_endpoint`` is for the services beside it.
    ``credentials`` replaces the AWS chain, of which ``profile`` picks the profile; ``role`` is taken with either.
    ``credentials_timeout_seconds`` is how long a way through that chain may take, a helper's answer included (60 is
    what AWS's SDK for Go gives one), but for the time in which a person is asked for a code.
    ``ca_bundle`` is a PEM file of authorities trusted besides the system's (``tls.bundle_in_force`` otherwise).
    ``verify_certificates`` can be given up for loopback only.
    ``id_rule`` tells which archive ids may be sent.  ``record_wire`` is a file to keep requests and replies in.
    """

    endpoint_url: str | None = None
    use_fips_endpoint: bool = False
    profile: str | None = None
    credentials: StaticCredentials | None = None
    role: Role | None = None
    max_in_flight: int = IN_FLIGHT_MAX
    connect_timeout_seconds: float = 5.0
    request_timeout_seconds: float = 30.0
    credentials_timeout_seconds: float = 60.0
    ca_bundle: Path | None = None
    verify_certificates: bool = True
    id_rule: IdRule = EXACT
    record_wire: Path | None = None

    @property
    def is_pretended(self) -> bool:
        """Whether it is a service on this machine that is asked, where nothing real is deleted."""
        return self.endpoint_url is not None and is_loopback(self.endpoint_url)

    @property
    def knows_callers(self) -> bool:
        """Whether somebody can say whose the credentials are: AWS, or what gave a session of a role in place of it."""
        return self.role is not None or not self.is_pretended

    def __post_init__(self) -> None:
        if not self.verify_certificates and not self.is_pretended:
            raise UsageError(
                "certificates are always checked outside of this machine. Leave --no-verify-ssl away, or name the "
                "authority to trust with --ca-bundle."
            )
