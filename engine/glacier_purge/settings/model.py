"""Every setting there is, as one frozen model.

Making a ``Settings`` reads nothing: what is not given has its default, so that a library call depends on its arguments
alone; laying files, environment and command line over each other is the work of ``layers``.  Limits here are those of
sense; each room checks its own figures again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from glacier_purge.archive import IdRule, id_rule_for
from glacier_purge.aws.access import Access
from glacier_purge.aws.bucket import BucketAddress
from glacier_purge.aws.endpoints import check_endpoint_url, check_other_endpoint, check_region, is_loopback
from glacier_purge.aws.roles import checked_external_id, checked_role, checked_tags
from glacier_purge.errors import GlacierPurgeError
from glacier_purge.happenings import Happening
from glacier_purge.run.settings import PurgeSettings
from glacier_purge.run.windows import Window

_ACCESS, _RUN = Access(), PurgeSettings()
"""The rooms' own figures, which are the defaults here: each stands once, where it is used."""
_T = TypeVar("_T")
ENVIRONMENT_PREFIX = "GLACIER_PURGE_"
ENVIRONMENT_DELIMITER = "__"


def _none_from_text(value: object) -> object:
    return None if value == "none" else value


def _checked_window(text: str) -> str:
    Window.parse(text)
    return text


def _checked_bucket(text: str) -> str:
    try:
        return str(BucketAddress.parse(text))
    except GlacierPurgeError as refused:
        raise ValueError(str(refused)) from refused


def _checked_bucket_endpoint(url: str) -> str:
    try:
        check_other_endpoint("s3", url, "it", pretended=True)
    except GlacierPurgeError as refused:
        raise ValueError("neither an endpoint of S3 (https://s3.REGION.amazonaws.com) nor loopback") from refused
    return url


def _checked_absolute(path: str) -> str:
    if not Path(path).is_absolute():
        raise ValueError("not an absolute path, so what it protects would depend on where a command is started")
    return path


def _role(named: str) -> str:
    return _as_value_error(checked_role, named)


def _external_id(text: str) -> str:
    return _as_value_error(checked_external_id, text)


def _session_tags(written: tuple[str, ...]) -> tuple[str, ...]:
    return _as_value_error(checked_tags, written)


def _as_value_error(checked: Callable[[_T], _T], value: _T) -> _T:
    try:
        return checked(value)
    except GlacierPurgeError as refused:
        raise ValueError(str(refused).removesuffix(".")) from refused


Seconds = Annotated[float, Field(gt=0, le=86_400)]
PerSecond = Annotated[float, Field(gt=0, le=1_000_000)]
PerSecondOrNone = Annotated[
    PerSecond | None, BeforeValidator(_none_from_text, json_schema_input_type=PerSecond | Literal["none"] | None)
]
"""TOML and environment variables cannot say None, so they write "none"."""
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
CountOrNone = Annotated[
    Count | None, BeforeValidator(_none_from_text, json_schema_input_type=Count | Literal["none"] | None)
]
Duration = Annotated[float, Field(gt=0, le=366 * 86_400)]
DurationOrNone = Annotated[
    Duration | None, BeforeValidator(_none_from_text, json_schema_input_type=Duration | Literal["none"] | None)
]
Share = Annotated[float, Field(gt=0, le=1)]
ShareOrNone = Annotated[
    Share | None, BeforeValidator(_none_from_text, json_schema_input_type=Share | Literal["none"] | None)
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class AwsSettings(_Section):
    """Which service to speak to, and as whom. Raises ``UsageError`` for a place deletes must not go to."""

    profile: str | None = None
    """Named profile of the AWS configuration; otherwise AWS's own rules choose."""
    region: str | None = None
    """Region of the vault; otherwise the profile's."""
    endpoint_url: Annotated[str, AfterValidator(check_endpoint_url)] | None = None
    """Another endpoint than the region's own, loopback or one of Amazon Glacier's; otherwise as AWS's own files say."""
    use_fips_endpoint: bool | None = None
    """Speak to FIPS endpoints; otherwise as AWS_USE_FIPS_ENDPOINT, or the profile, says."""
    account_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    """Account that owns the vault; otherwise the one of the credentials."""
    role: Annotated[str, AfterValidator(_role)] | None = None
    """Role to assume with the credentials and to work as: its name in the vault's account, or its ARN."""
    external_id: Annotated[str, AfterValidator(_external_id)] | None = None
    """External id that the trust policy of the role asks for."""
    session_tags: Annotated[tuple[str, ...], AfterValidator(_session_tags)] = ()
    """Session tags that the role is assumed with, each as KEY=VALUE."""
    transport: Literal["auto", "sdk", "rest"] = "auto"
    """How deletes travel: over connections of our own (rest), through the SDK, or as the surroundings ask for."""
    ca_bundle: str | None = None
    """PEM file of authorities to trust besides the system's; else AWS_CA_BUNDLE, the profile's, REQUESTS_CA_BUNDLE."""
    verify_ssl: bool = _ACCESS.verify_certificates
    """Check the server's certificate; can be given up for loopback only."""
    connect_timeout_seconds: Seconds = _ACCESS.connect_timeout_seconds
    """A connection that takes longer to open counts as no reply."""
    request_timeout_seconds: Seconds = _ACCESS.request_timeout_seconds
    """A request whose reply takes longer counts as no reply, and is sent again."""
    credentials_timeout_seconds: Seconds = _ACCESS.credentials_timeout_seconds
    """A helper, role or login that takes longer to give credentials is given up, and tried again."""

    record_wire: str | None = None
    """File to make and to keep requests to Amazon Glacier and their replies in, redacted, to be sent to who asks."""

    @model_validator(mode="after")
    def _check_region(self) -> Self:
        if self.region is not None:
            check_region(self.region, self.endpoint_url)
        return self

    @model_validator(mode="after")
    def _check_role(self) -> Self:
        if self.role is None and (self.external_id is not None or self.session_tags):
            raise ValueError("external_id and session_tags are what a role is asked for with; name one (--role)")
        return self


class PaceSettings(_Section):
    """How fast requests may leave."""

    first_per_second: PerSecond = _RUN.pace.rate_per_second_first
    """Rate to begin with; it doubles every second until the service throttles for the first time."""
    max_rate: PerSecondOrNone = _RUN.pace.rate_per_second_max
    """Never faster than this; "none" leaves the limit to the service."""
    max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = _RUN.pace.in_flight_max
    """Never more requests under way than this."""
    leave_share: Annotated[float, Field(ge=0, le=0.9)] = _RUN.pace.leave_share
    """Part of the limit found that is left to other users of the account."""
    windows: tuple[Annotated[str, AfterValidator(_checked_window)], ...] = ()
    """Hours in which deletes may be sent, as in "22:00-06:00" by this host's clock or "22:00-06:00 Europe/Berlin"."""


class RetrySettings(_Section):
    """How patiently a delete is tried again. Throttles, 5xx and network faults are never given up on."""

    unknown_attempts_max: Annotated[int, Field(ge=1, le=100)] = _RUN.retry.unknown_attempts_max
    """Attempts after which an archive the service refuses for an unknown reason counts as failed."""
    first_wait_seconds: Seconds = _RUN.retry.first_wait_seconds
    """Ceiling of the first wait; it doubles with each attempt, and the wait is a random part of it."""
    wait_seconds_max: Seconds = _RUN.retry.wait_seconds_max
    """Where the ceiling stops doubling."""
    credentials_patience_seconds: Annotated[float, Field(gt=0, le=7 * 86_400)] = _RUN.credentials_patience_seconds
    """How long a run waits for expired credentials to be renewed before it stops, resumable."""


class AuditSettings(_Section):
    """When the audit log goes to disk: often costs speed, seldom costs more second deletes after a crash."""

    commit_seconds: Annotated[float, Field(gt=0, le=10)] = _RUN.commit_seconds
    """A record is on disk at most this long after its reply."""
    commit_records: Annotated[int, Field(ge=1, le=100_000)] = _RUN.commit_records
    """Records waiting for the disk after which they are not kept waiting longer."""
    segment_records: Annotated[int, Field(ge=1_000, le=100_000_000)] = _RUN.segment_records
    """Records after which a new file is begun."""
    checkpoint_seconds: Seconds = _RUN.checkpoint_seconds
    """How often the state is written down that spares a resumed run reading the whole log."""
    telemetry_seconds: Seconds = _RUN.telemetry_seconds
    """How often rate, limit, throttles and latency are recorded."""
    anchor_file: str | None = None
    """File, better on another disk, to keep the log's head in at each checkpoint; it shows a log cut back later."""
    sign_key: str | None = None
    """SSH key that signs anchors: a private one without a passphrase, or the public key of one that an agent has."""


class ReplicaSettings(_Section):
    """A bucket outside of this host, which keeps what must outlive it, and says which host may send."""

    url: Annotated[str, AfterValidator(_checked_bucket)] | None = None
    """Bucket and prefix, s3://bucket/prefix; the same for all hosts that may work on a vault."""
    endpoint_url: Annotated[str, AfterValidator(_checked_bucket_endpoint)] | None = None
    """Where S3 is asked, at its own endpoint or on loopback; otherwise as AWS_ENDPOINT_URL_S3 or the profile says."""
    region: str | None = None
    """Region of the bucket; otherwise the vault's."""
    lease_seconds: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    """How long a vault's lease holds without being renewed; sending stops when three quarters of it have passed."""

    @property
    def address(self) -> BucketAddress | None:
        """The bucket and its prefix; None where there is none."""
        return None if self.url is None else BucketAddress.parse(self.url)


class InventorySettings(_Section):
    """What an inventory may hold."""

    any_id_length: bool = False
    """Accept archive ids of other lengths than 138 characters, as other emulators make them."""
    recent_upload_days: Annotated[int, Field(ge=0, le=3650)] = 7
    """An upload younger than this is told of, as a sign that somebody still writes to the vault."""

    @property
    def id_rule(self) -> IdRule:
        """Which texts pass as archive ids."""
        return id_rule_for(any_length=self.any_id_length)


class SafetySettings(_Section):
    """What is never deleted, how much at most, and when a run gives up. Checked at plan, apply and resume."""

    deny_vaults: tuple[str, ...] = ()
    """Globs for names or ARNs of vaults that are never purged."""
    deny_accounts: tuple[Annotated[str, Field(pattern=r"^[0-9]{12}$")], ...] = ()
    """Accounts no vault of which is ever purged."""
    deny_id_files: tuple[Annotated[str, AfterValidator(_checked_absolute)], ...] = ()
    """Files of archive ids that are never deleted, one a line; absolute paths."""
    max_archives: CountOrNone = _RUN.rules.max_archives
    """A plan that deletes more archives is refused when it is applied."""
    max_bytes: CountOrNone = _RUN.rules.max_bytes
    """A plan that deletes more bytes is refused when it is applied."""
    inventory_max_age_seconds: DurationOrNone = _RUN.rules.inventory_age_seconds_max
    """An older inventory is refused unless it is still the vault's last one; "none" allows any."""
    max_duration_seconds: DurationOrNone = _RUN.duration_seconds_max
    """A process stops sending after this long; the run can be resumed."""
    protection_interval_seconds: Seconds = _RUN.protection_interval_seconds
    """How often a run that sends reads the vault's lock, access policy and tags again, to see a hold set meanwhile."""
    canary: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = _RUN.caution.stages
    """Archives sent alone at the beginning, stage by stage; one failure in them stops the run."""
    fuse_failed_max: CountOrNone = _RUN.caution.failed_max
    """More failed archives than this stop the run."""
    fuse_failed_share: ShareOrNone = _RUN.caution.failed_share_max
    """A larger part of failed archives than this stops the run, once there are 1,000 outcomes."""


class ApprovalSettings(_Section):
    """Whose yes a plan takes: one that is typed, or documents that several people signed."""

    approvals: Annotated[int, Field(ge=0, le=100)] = 0
    """So many people have to sign an approval of each plan; with 0 one typed or quoted yes will do."""
    allowed_signers: str | None = None
    """File of who may, as ssh-keygen reads it: NAME KEY-TYPE KEY; its content is settled when work begins."""
    revoked: str | None = None
    """File of keys that count no more, OpenSSH's own (KRL) or public keys; read whenever an approval is used."""
    not_the_planner: bool = False
    """Nobody approves a plan that they made; it has to be signed (sign_key)."""


class EstimateSettings(_Section):
    """What estimates of a plan are made from."""

    prices_file: str | None = None
    """TOML file with prices; otherwise those that ship with this package, which say as of when they are."""


class ReportSettings(_Section):
    """What people see while a run goes on."""

    progress_seconds: Seconds = 10.0
    """How often a line of progress is written where there is no terminal."""
    page: bool = True
    """Whether ``report.html`` is written into the folder whenever a process ends its work there."""
    waiting_long_seconds: Duration = 172_800.0
    """A wait that takes longer is told to hooks, and again each time as much has passed; one that only a person ends is
    told after a quarter of an hour at most."""
    live_page: str | None = None
    """Where to show how it goes: ``127.0.0.1:8377``, a port, ``unix:/run/purge.sock``, or ``any`` that is free."""
    metrics_textfile: str | None = None
    """File for node_exporter's textfile collector, written anew every 15 seconds."""


class HookSettings(_Section):
    """Who is told of what happens while nobody watches: a command that is started, or a webhook that is called."""

    command: str | tuple[str, ...] | None = None
    """Program with its arguments, without a shell; it gets the event as JSON on its standard input."""
    url: str | None = None
    """Where the event is sent by POST: https, or http on loopback."""
    events: tuple[Happening, ...] = ()
    """The events that are told; all, where none is named."""
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """A command that runs longer is ended; an answer that takes longer is none, and the event is sent again."""
    secret_env: str | None = None
    """Environment variable with the secret that signs what is sent to a URL."""
    secret_file: Annotated[str, AfterValidator(_checked_absolute)] | None = None
    """File with that secret."""

    @property
    def program(self) -> tuple[str, ...]:
        """The command, word by word; none for a webhook."""
        return tuple(shlex.split(self.command)) if isinstance(self.command, str) else self.command or ()

    @property
    def name(self) -> str:
        """What the hook is called before people: of a URL the server alone, since the rest may be a secret."""
        if self.url is None:
            return self.program[0]
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("a hook is a command or a url; give one of them")
        if self.url is None:
            self._check_command()
        else:
            self._check_url(self.url)
        return self

    def _check_command(self) -> None:
        try:
            words = self.program
        except ValueError as fault:
            raise ValueError(f"its command is none ({fault})") from fault
        if not words or not words[0]:
            raise ValueError("its command is empty")
        if self.secret_env is not None or self.secret_file is not None:
            raise ValueError("a secret signs what is sent to a url, and this is a command; take it out")

    def _check_url(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError as fault:
            raise ValueError(f"its url is none ({fault})") from fault
        if not is_one or re.search(r"[\s\x00-\x1f]", url):
            raise ValueError("its url is none; write https://host/path")
        if "…" in url:
            raise ValueError("its url is not whole: config show leaves out what may be secret")
        if parts.scheme == "http" and not is_loopback(f"http://{parts.netloc}"):
            raise ValueError("its url is http, which anybody on the way can read and change; write https, or loopback")
        if self.secret_env is not None and self.secret_file is not None:
            raise ValueError("its secret is in a variable and in a file; give one of them")


class Settings(BaseSettings):
    """All settings, by section. Raises ``pydantic.ValidationError`` for values that make no sense."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter=ENVIRONMENT_DELIMITER,
        env_ignore_empty=True,
        nested_model_default_partial_update=True,
        use_attribute_docstrings=True,
    )

    aws: AwsSettings = AwsSettings()
    pace: PaceSettings = PaceSettings()
    retry: RetrySettings = RetrySettings()
    audit: AuditSettings = AuditSettings()
    replica: ReplicaSettings = ReplicaSettings()
    inventory: InventorySettings = InventorySettings()
    safety: SafetySettings = SafetySettings()
    approval: ApprovalSettings = ApprovalSettings()
    estimate: EstimateSettings = EstimateSettings()
    report: ReportSettings = ReportSettings()
    hooks: tuple[HookSettings, ...] = ()
    """Who is told of what happens; those of all places are."""
    _walls: Mapping[tuple[str, ...], Any] = PrivateAttr(default_factory=dict)

    def keep_walls(self, walls: Mapping[tuple[str, ...], Any]) -> None:
        """Remember what a company's file allows at most, for what is asked for after the settings were read."""
        self._walls = walls

    def wall(self, section: str, name: str) -> Any:
        """What a company's file allows at most; None where it says nothing."""
        return self._walls.get((section, name))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments only: the environment is a layer like the others, laid by ``layers``."""
        return (init_settings,)
