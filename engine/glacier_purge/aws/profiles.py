"""What the user's AWS configuration says, in the environment and in the files of AWS's tools. Nobody is asked.

botocore reads and merges the files; what it would make of them where nobody sees it, above all where requests go, is
asked here by name, so that what is not done can be refused by the name of what asks for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from glacier_purge.aws.faults import configured
from glacier_purge.errors import ConfigurationFailed
from glacier_purge.host_faults import if_the_host_fails

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody set, and where, in the words of who set it."""

    value: str
    place: str


class Configuration:
    """The environment and one AWS profile. Each question is answered in botocore's order: environment, then profile."""

    def __init__(self, session: Session | None, environment: Mapping[str, str]) -> None:
        """Read through ``session``; None: there are no files. Raises ``ConfigurationFailed`` for a broken one."""
        self._environment = environment
        self._profile: Mapping[str, Any] = {}
        self._files: Mapping[str, Any] = {}
        if session is None:
            return
        self._name = session.profile or "default"
        for variable in ("config_file", "credentials_file"):
            _check_readable(session.get_config_variable(variable))
        with configured():
            self._files = session.full_config
            if session.profile is None or session.profile in session.available_profiles:  # who needs it says so
                self._profile = session.get_scoped_config()

    @classmethod
    def of_profile(cls, profile: str | None) -> Self:
        """Read the files of AWS's tools for ``profile`` (None: the default one), if there are any."""
        if not any(map(_exists, ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"))):
            return cls(None, os.environ)
        from botocore.session import Session  # noqa: PLC0415 - heavy

        return cls(Session(profile=profile), os.environ)

    def of_environment(self, variable: str) -> Said | None:
        """What an environment variable says; an empty one says nothing."""
        value = self._environment.get(variable)
        return Said(value=value, place=variable) if value else None

    def in_profile(self, key: str) -> Said | None:
        """What a key of the profile says; an empty one says nothing."""
        value = self._profile.get(key)
        return (
            Said(value=value, place=f"{key} of AWS profile {self._name}") if isinstance(value, str) and value else None
        )

    def said(self, variable: str, key: str) -> Said | None:
        """What is set by an environment variable, or by a key of the profile."""
        return self.of_environment(variable) or self.in_profile(key)

    def wants(self, variable: str, key: str) -> Said | None:
        """A switch that somebody turned on; what is not "true" is off, as botocore has it."""
        said = self.said(variable, key)
        return said if said is not None and said.value.lower() == "true" else None

    def endpoint_of_environment(self, service: str) -> Said | None:
        """Where the environment sends requests for ``service`` (AWS's service id, with underscores)."""
        if self._ignores_endpoints:
            return None
        return self.of_environment(f"AWS_ENDPOINT_URL_{service.upper()}") or self.of_environment("AWS_ENDPOINT_URL")

    def endpoint_of_profile(self, service: str) -> Said | None:
        """Where the profile sends requests for ``service``. Raises ``ConfigurationFailed`` for a section it lacks."""
        if self._ignores_endpoints:
            return None
        section = self._profile.get("services")
        if section is None:
            return self.in_profile("endpoint_url")
        services = self._files.get("services", {}).get(section)
        if services is None:
            raise ConfigurationFailed(
                f"AWS profile {self._name} names the section [services {section}], which is not there. Add it to "
                "AWS's configuration file, or take the line out."
            )
        own = services.get(service)
        if isinstance(own, dict) and own.get("endpoint_url"):
            return Said(value=own["endpoint_url"], place=f"endpoint_url of {service} in [services {section}]")
        return self.in_profile("endpoint_url")

    def endpoint(self, service: str) -> Said | None:
        """Where requests for ``service`` are sent, the environment before the profile."""
        return self.endpoint_of_environment(service) or self.endpoint_of_profile(service)

    @property
    def _ignores_endpoints(self) -> bool:
        return self.wants("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") is not None


def _check_readable(file: str | None) -> None:
    """Refuse a file that is there and can't be read: botocore would pass over it as if nothing was said in it."""
    try:
        if file is not None:
            with if_the_host_fails(f"AWS's configuration can't be read: {file}"):
                Path(os.path.expanduser(file)).open("rb").close()  # noqa: PTH111 - "~" where nobody has a home
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ConfigurationFailed(
            f"AWS's configuration can't be read: {file}: {error.strerror}. Let this user read it, or name another one "
            "with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE. Nothing was sent."
        ) from error


def _exists(variable: str) -> bool:
    """Whether a file of AWS's tools is there: where ``variable`` says, or where such files are."""
    usual = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
    return Path(os.path.expanduser(os.environ.get(variable) or usual[variable])).exists()  # noqa: PTH111 - "~" where nobody has a home


def profile_region(profile: str | None) -> str | None:
    """The region the AWS configuration gives for ``profile`` (None: the default one), if any.

    Raises ``ConfigurationFailed`` for a profile that is not there, and for files that can't be read.
    """
    from botocore.session import Session  # noqa: PLC0415  # heavy

    with configured():
        region = Session(profile=profile).get_config_variable("region")
    return str(region) if region else None
