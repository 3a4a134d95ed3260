"""Groups of options that many verbs share, each a frozen dataclass taken as one parameter.

``Aws`` has the names and meanings of the AWS CLI.  A verb asks for a group with a default::

    def status(run_dir: Path, *, aws: Aws = AwsOptions(), output: Output = OutputFormat.TEXT) -> int: ...

Values of options may begin with a hyphen where AWS lets them (``Hyphened``), as archive ids and vault names do.  A
positional argument that begins with one is written after ``--`` or as ``--name=-value``; otherwise a misspelt option
would be taken for a vault.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from glacier_purge.cli.output import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier_purge.settings import Settings

Hyphened = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""Text that may begin with ``-``. For options given by name only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """Which account, region and endpoint to speak to, and as whom. None leaves it to the settings and to AWS's own."""

    profile: Hyphened | None = None
    """Named profile of the AWS configuration."""
    region: str | None = None
    """AWS region of the vault; otherwise AWS_REGION, AWS_DEFAULT_REGION, or the profile's."""
    endpoint_url: str | None = None
    """Another endpoint: loopback, or https://glacier*.amazonaws.com[.cn]. Shown, and part of the plan's digest."""
    account_id: Hyphened | None = None
    """12-digit account that owns the vault; - is the account of the credentials."""
    transport: Literal["auto", "sdk", "rest"] | None = None
    """How deletes travel: rest (connections of our own, a fortieth of the CPU), sdk, or auto."""
    ca_bundle: str | None = None
    """PEM file of the authorities to trust instead of the system's; also AWS_CA_BUNDLE."""
    no_verify_ssl: bool = False
    """Do not check the server's certificate; refused outside of loopback."""

    def overrides(self) -> dict[str, object]:
        """The options given, as a section of the settings; those left out do not override anything."""
        return _given(
            {
                "profile": self.profile,
                "region": self.region,
                "endpoint_url": self.endpoint_url,
                "account_id": None if self.account_id == "-" else self.account_id,
                "transport": self.transport,
                "ca_bundle": self.ca_bundle,
                "verify_certificates": False if self.no_verify_ssl else None,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsOptions:
    """Where settings come from besides the environment."""

    settings_profile: str | None = None
    """Shipped settings to start from: gentle, standard or benchmark; also GLACIER_PURGE_PROFILE."""
    config: Path | None = None
    """TOML file of settings; also GLACIER_PURGE_CONFIG."""

    def load(self, aws: AwsOptions, **sections: Mapping[str, object]) -> Settings:
        """Read the settings in force, under what the command line gives.

        ``sections`` holds options of the verb by section, as in ``pace={"max_per_second": max_rate}``; an option that
        is None was not given.  Raises what ``load_settings`` raises.
        """
        from glacier_purge.settings import load_settings

        arguments = {"aws": aws.overrides(), **{name: _given(values) for name, values in sections.items()}}
        return load_settings(file=self.config, profile=self.settings_profile, arguments=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What the operator log on stderr looks like."""

    log_format: Literal["console", "json"] = "console"
    """Operator log for people or as JSON lines."""
    debug: bool = False
    """Log more, and print a traceback for unexpected errors."""


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


Aws = Annotated[AwsOptions, Parameter(name="*", group="AWS")]
SettingsSource = Annotated[SettingsOptions, Parameter(name="*", group="Settings")]
Logs = Annotated[LogOptions, Parameter(name="*", group="Log")]
Output = Annotated[OutputFormat, Parameter(name="--output", help="Format of the result on stdout: text or json.")]
