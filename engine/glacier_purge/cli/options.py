"""Groups of options that many verbs share, each a frozen dataclass taken as one parameter: how the service is reached,
where settings come from, how the log looks, how fast and when deletes are sent, and how much at most.

``Aws`` has the names and meanings of the AWS CLI.  A verb asks for a group with a default::

    def status(run_dir: Path, *, aws: Aws = AwsOptions(), output: Output = OutputFormat.TEXT) -> int: ...

Values of options may begin with a hyphen where AWS lets them (``Hyphened``), as archive ids and vault names do.  A
positional argument that begins with one is written after ``--`` or as ``--name=-value``; otherwise a misspelt option
would be taken for a vault.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from glacier_purge.cli.output import OutputFormat
from glacier_purge.cli.voice import level_wanted
from glacier_purge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cyclopts import Token

    from glacier_purge.api.surveying import Place, SettingsFor
    from glacier_purge.inventory.fetching.job_choice import WantedJob
    from glacier_purge.plan.choices import Caps
    from glacier_purge.settings import Settings

Hyphened = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""Text that may begin with ``-``. For options given by name only."""
_OPTIONS = {
    "verify_ssl": "--no-verify-ssl",
    "leave_share": "--leave",
    "windows": "--window",
    "session_tags": "--session-tag",
    "inventory_max_age_seconds": "--inventory-max-age",
    "max_duration_seconds": "--max-duration",
    "url": "--replica",
}
"""The options that are not called as their settings are: of a part, a list or a span of time they say it in words."""


def _whole(_kind: object, tokens: Sequence[Token]) -> int:
    """The parser itself rounds 1.5 to 2, which nobody asked for."""
    return int(tokens[0].value)


Whole = Annotated[int, Parameter(converter=_whole)]
"""A whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """Which account, region and endpoint to speak to, and as whom. None leaves it to the settings and to AWS's own."""

    profile: Hyphened | None = None
    """Named profile of the AWS configuration."""
    region: str | None = None
    """AWS region of the vault; otherwise AWS_REGION, AWS_DEFAULT_REGION, or the profile's."""
    endpoint_url: str | None = None
    """Loopback, or https://glacier*.amazonaws.com[.cn]; else AWS_ENDPOINT_URL_GLACIER, AWS_ENDPOINT_URL, the profile's.
    Shown, and part of the plan's digest."""
    account_id: Hyphened | None = None
    """12-digit account that owns the vault; - is the account of the credentials."""
    role: str | None = None
    """Role to assume and to work as: its name in the account of --account-id, or its ARN."""
    external_id: Hyphened | None = None
    """External id that the role's trust policy asks for."""
    session_tag: tuple[str, ...] = ()
    """KEY=VALUE, a session tag to assume the role with. May be repeated."""
    transport: Literal["auto", "sdk", "rest"] | None = None
    """How deletes travel: rest (connections of our own, a fortieth of the CPU), sdk, or auto."""
    ca_bundle: str | None = None
    """PEM file of authorities to trust besides the system's; else AWS_CA_BUNDLE, the profile's, REQUESTS_CA_BUNDLE."""
    no_verify_ssl: bool = False
    """Do not check the server's certificate; refused outside of loopback."""
    record_wire: str | None = None
    """File to make and to keep requests and replies of Amazon Glacier in, without secrets, accounts and users."""

    def at(self, profile: str | None, region: str | None, account_id: str | None) -> AwsOptions:
        """The same options for another profile, region and account; None keeps what was given."""
        return replace(
            self,
            profile=profile or self.profile,
            region=region or self.region,
            account_id=account_id or self.account_id,
        )

    def overrides(self) -> dict[str, object]:
        """The options given, as a section of the settings; those left out do not override anything."""
        return _given(
            {
                "profile": self.profile,
                "region": self.region,
                "endpoint_url": self.endpoint_url,
                "account_id": None if self.account_id == "-" else self.account_id,
                "role": self.role,
                "external_id": self.external_id,
                "session_tags": self.session_tag or None,
                "transport": self.transport,
                "ca_bundle": self.ca_bundle,
                "verify_ssl": False if self.no_verify_ssl else None,
                "record_wire": self.record_wire,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """Which accounts and regions to look at, where that is more than one."""

    regions: str | None = None
    """Regions, with commas between them, or all: every region of Amazon Glacier. Otherwise --region's, or the
    profile's."""
    profiles: Hyphened | None = None
    """AWS profiles, with commas between them, each with its account and, without --regions, its region."""
    accounts_from: Path | None = None
    """Fleet file whose accounts to look at, as the roles it names, and, without --regions, in its regions."""

    def asked(self, settings_for: SettingsFor) -> list[Place]:
        """Where to ask. Raises ``UsageError`` for a list with nothing in it, as ``surveying.places`` and for a fleet
        file that says nothing useful.
        """
        from glacier_purge.api.surveying import fleet_places, places

        profiles, regions = _parts("--profiles", self.profiles), _parts("--regions", self.regions)
        if self.accounts_from is None:
            return places(profiles, regions, settings_for)
        if profiles:
            raise UsageError("--accounts-from says as whom it is asked, and so does --profiles. Give one of them.")
        return fleet_places(self.accounts_from, regions, settings_for)


def _parts(option: str, text: str | None) -> list[str]:
    if text is None:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"{option} {text!r}: write names with commas between them, as in one,two.")
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsOptions:
    """Where settings come from besides the environment."""

    settings_profile: str | None = None
    """Shipped settings to start from: gentle, standard or benchmark; also GLACIER_PURGE_PROFILE."""
    config: Path | None = None
    """TOML file of settings; also GLACIER_PURGE_CONFIG. Read after /etc/glacier-purge.toml and
    ~/.config/glacier-purge.toml, where there are such files."""

    def load(self, aws: AwsOptions, *, hooks: HookOptions | None = None, **sections: Mapping[str, object]) -> Settings:
        """Read the settings in force, under what the command line gives.

        ``sections`` holds options of the verb by section, as in ``pace={"max_rate": max_rate}``; an option that
        is None was not given.  Raises what ``load_settings`` raises.
        """
        from glacier_purge.settings import load_settings

        arguments: dict[str, Mapping[str, object] | Sequence[object]] = {
            "aws": aws.overrides(),
            **{name: _given(values) for name, values in sections.items()},
        }
        if hooks is not None:
            arguments["hooks"] = hooks.overrides()
        return load_settings(
            file=self.config, profile=self.settings_profile, arguments=arguments, called=option_of_setting
        )

    def origins(self, aws: AwsOptions) -> dict[tuple[str, ...], str]:
        """Where each value comes from that ``load`` gives without options of a verb; others have their defaults."""
        from glacier_purge.settings.layers import origins

        arguments = {"aws": aws.overrides()}
        return origins(file=self.config, profile=self.settings_profile, arguments=arguments, called=option_of_setting)

    def former_names(self) -> dict[str, str]:
        """The settings given by a name of an earlier version, each with the place it stands in."""
        from glacier_purge.settings.layers import former_names

        found = former_names(file=self.config, profile=self.settings_profile)
        return {".".join(path): place for path, place in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What is said on stderr; every verb has these, which ``voice`` looks for before the command line is parsed."""

    log_format: Literal["console", "json"] = "console"
    """For people, or for a log collector: every line on stderr one JSON object, errors and wrong usage included."""
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    """The least that is said on stderr; info unless given. A plan that is to be approved is shown at any."""
    quiet: bool = False
    """Say nothing but warnings and errors; the result on stdout is as ever. The same as --log-level warning."""
    debug: bool = False
    """Say more, and print a traceback for unexpected errors. The same as --log-level debug."""

    @property
    def level(self) -> str:
        """The least that is said."""
        return level_wanted(self.log_level, quiet=self.quiet, debug=self.debug)


def option_of_setting(path: tuple[str, ...]) -> str:
    """The option that gives a setting, which is named by section and name."""
    if path[0] == "hooks":
        return "--hook"
    return _OPTIONS.get(path[-1]) or "--" + path[-1].replace("_", "-")


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """How fast and when requests may leave. None leaves it to the settings."""

    max_rate: float | None = None
    """Most requests a second."""
    max_in_flight: Whole | None = None
    """Most requests under way at once."""
    leave: str | None = None
    """Part of the limit found that is left to others of the account, 0% to 90%."""
    window: tuple[str, ...] = ()
    """Hours in which to send: 22:00-06:00 by this host's clock, or '22:00-06:00 Europe/Berlin'. May be repeated."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given. Raises ``UsageError``."""
        return {
            "max_rate": self.max_rate,
            "max_in_flight": self.max_in_flight,
            "leave_share": None if self.leave is None else _share(self.leave),
            "windows": self.window or None,
        }


def _share(percent: str) -> float:
    """``30%``, or ``30``, is 0.3."""
    try:
        share = float(percent.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 0.9:
        raise UsageError(f"--leave {percent} is no part that can be left to others; write 0% to 90%.")
    return share


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyOptions:
    """How much may be deleted at most. None leaves it to the settings; larger plans are refused."""

    max_archives: Whole | None = None
    """Refuse a plan that deletes more archives than this."""
    max_bytes: str | None = None
    """Refuse a plan that deletes more than this: bytes, or 10TiB."""
    inventory_max_age: str | None = None
    """Take an older inventory than this only if it is still the vault's last: 7d (the default), 12h; none takes any."""
    max_duration: str | None = None
    """Stop sending after so long: 8h, 90m, 2d. The same command goes on."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given. Raises ``UsageError``."""
        return asdict(self.caps()) | {"inventory_max_age_seconds": age_seconds(self.inventory_max_age)}

    def caps(self) -> Caps:
        """How much at most, as numbers. Raises ``UsageError`` for text that means nothing."""
        from glacier_purge.plan.choices import KINDS, Caps, Kind, as_option, as_written, size_bytes, span_seconds

        numbers = {Kind.BYTES: size_bytes, Kind.SECONDS: span_seconds}
        typed = {field.name: getattr(self, as_written(field.name)) for field in fields(Caps)}
        return Caps(
            **{
                name: numbers[KINDS[name]](value, as_option(name)) if isinstance(value, str) else value
                for name, value in typed.items()
            }
        )


def age_seconds(inventory_max_age: str | None) -> int | str | None:
    """The option as the setting says it, where none stands for itself. Raises ``UsageError``."""
    from glacier_purge.plan.choices import span_seconds

    if inventory_max_age is None or inventory_max_age == "none":
        return inventory_max_age
    return span_seconds(inventory_max_age, "--inventory-max-age")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOptions:
    """What is kept for those who check the audit log later. None leaves it to the settings."""

    anchor_file: str | None = None
    """Keep the log's head in this file, better on another disk, at each checkpoint and at the end; it shows a log that
    was cut back or replaced."""
    sign_key: str | None = None
    """Sign it with this SSH key: a private key without a passphrase, or the .pub of one that an agent has."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOptions:
    """What outlives this host, and keeps other hosts out. None leaves it to the settings."""

    replica: str | None = None
    """Bucket and prefix, s3://bucket/prefix, that says which of several hosts may send to the vault, and keeps what
    must outlive this one; the same for all of them."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given."""
        return {"url": self.replica}


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """Who is told of what happens while nobody watches."""

    hook: tuple[str, ...] = ()
    """Start this command, or send to this https:// address, when an approval is wanted, when it is held, stops, fails,
    waits long or is done. May be repeated; adds to the settings' [[hooks]]. Example: --hook 'mail-to-team --glacier'"""

    def overrides(self) -> list[dict[str, object]]:
        """The options as hooks of the settings."""
        return [{"url" if "://" in one.partition(" ")[0] else "command": one} for one in self.hook]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How others can look on. None leaves it to the settings."""

    page: str | None = None
    """Show how it goes on a live page, for a browser on this machine: 127.0.0.1:8377, a port, unix:/run/purge.sock, or
    any. The address, with a secret in it, is printed."""
    metrics_textfile: str | None = None
    """Write metrics into this file every 15 seconds, for node_exporter's textfile collector."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given."""
        return {"live_page": self.page, "metrics_textfile": self.metrics_textfile}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOptions:
    """Whose yes a plan takes, where that is not one person's at this terminal. None leaves it to the settings."""

    approvals: Whole | None = None
    """So many people have to sign an approval of each plan (`approve`). Settled when it begins."""
    allowed_signers: str | None = None
    """File of who may, as ssh-keygen reads it: NAME KEY-TYPE KEY. Its content is settled when it begins."""
    revoked: str | None = None
    """File of keys that count no more: OpenSSH's own (KRL), or public keys. Read whenever an approval is used."""
    not_the_planner: bool = False
    """Nobody approves the plan that they made; plans have to be signed (--sign-key)."""

    def overrides(self) -> dict[str, object]:
        """The options as a section of the settings; None where one was not given."""
        return asdict(self) | {"not_the_planner": self.not_the_planner or None}


Aws = Annotated[AwsOptions, Parameter(name="*", group="AWS")]
Places = Annotated[PlaceOptions, Parameter(name="*", group="Where")]
SettingsSource = Annotated[SettingsOptions, Parameter(name="*", group="Settings")]
Logs = Annotated[LogOptions, Parameter(name="*", group="Log")]
Pace = Annotated[PaceOptions, Parameter(name="*", group="Pace")]
Hooks = Annotated[HookOptions, Parameter(name="*", group="Told")]
Approvals = Annotated[ApprovalOptions, Parameter(name="*", group="Approval")]
Proof = Annotated[ProofOptions, Parameter(name="*", group="Proof")]
Replica = Annotated[ReplicaOptions, Parameter(name="*", group="Several hosts")]
Watch = Annotated[WatchOptions, Parameter(name="*", group="Looking on")]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """Which inventory job is taken, where not any that will do is wanted."""

    new_inventory: bool = False
    """Ask for a job of its own even where one that is done would do, or is remembered. It serves the service's last
    inventory all the same, which is made about once a day."""
    job_id: Hyphened | None = None
    """Take this inventory job and no other, whatever is remembered."""

    def wanted(self) -> WantedJob:
        """The job that was asked for. Raises ``UsageError`` for two at once."""
        from glacier_purge.inventory.fetching.job_choice import WantedJob

        if self.new_inventory and self.job_id is not None:
            raise UsageError("--new-inventory and --job-id are two jobs for one inventory. Give one of them.")
        return WantedJob(is_new=self.new_inventory, job_id=self.job_id)


Safety = Annotated[SafetyOptions, Parameter(name="*", group="At most")]
Jobs = Annotated[JobOptions, Parameter(name="*", group="Inventory")]
Output = Annotated[OutputFormat, Parameter(name="--output", help="Format of the result on stdout: text or json.")]
