"""Settings from files, environment and command line, laid over each other; the later layer wins, value by value.

In order: a shipped profile, a settings file, AWS's own variables (region and endpoint), ``GLACIER_PURGE_*`` variables,
what the command line or the caller gives.  A name nobody knows is refused in every layer, with the nearest known one
and the place it stands in: a setting silently ignored is a safety limit silently off.  (pydantic-settings reads the
environment but does not notice a misspelt section there, so that is checked here.)
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from glacier_purge.aws.endpoints import configured_endpoint_url
from glacier_purge.errors import ConfigurationFailed, GlacierPurgeError, UsageError
from glacier_purge.settings.model import ENVIRONMENT_DELIMITER, ENVIRONMENT_PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

_PROFILE_VARIABLE = f"{ENVIRONMENT_PREFIX}PROFILE"
_FILE_VARIABLE = f"{ENVIRONMENT_PREFIX}CONFIG"
_GONE = {("pace", "processes"), ("inventory", "job_queue")}
"""Settings of earlier versions, which old files still hold: they are refused like any other, but not guessed at."""
_TAKE_OUT = " It was one of an earlier version; take it out."


class _Kind(Enum):
    FILE = "file"
    ENVIRONMENT = "environment"
    ARGUMENTS = "arguments"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    kind: _Kind
    name: str
    values: Mapping[str, object]

    def place(self, path: tuple[str, ...]) -> str:
        """Where a setting stands in this layer, as the person who wrote it would look for it."""
        if self.kind is _Kind.ENVIRONMENT:
            return _variable(path)
        return f"{self.name}: {'.'.join(path)}"

    def holds(self, path: tuple[str, ...]) -> bool:
        node: object = self.values
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True


def load_settings(
    *,
    file: Path | None = None,
    profile: str | None = None,
    arguments: Mapping[str, Mapping[str, object]] | None = None,
) -> Settings:
    """Read the settings in force.

    ``file`` (or GLACIER_PURGE_CONFIG) is a TOML file; ``profile`` (or GLACIER_PURGE_PROFILE) names one of the shipped
    ones; ``arguments`` holds, section by section, what was asked for outright.  Raises ``ConfigurationFailed`` for
    files and variables that are wrong, ``UsageError`` for wrong arguments and for endpoints and regions deletes must
    not go to.
    """
    profile = profile or os.environ.get(_PROFILE_VARIABLE)
    named_file = file or os.environ.get(_FILE_VARIABLE)
    layers = [
        *([_read_profile(profile)] if profile else []),
        *([_read_file(Path(named_file))] if named_file else []),
        _Layer(kind=_Kind.FILE, name="AWS's environment variables", values=_aws_variables()),
        _Layer(kind=_Kind.ENVIRONMENT, name="environment", values=_own_variables()),
        _Layer(kind=_Kind.ARGUMENTS, name="argument", values=dict(arguments or {})),
    ]
    try:
        return Settings.model_validate(_merge(layers))
    except ValidationError as error:
        raise _explain(error, layers) from None


def profile_names() -> list[str]:
    """The profiles that ship with this package."""
    folder = resources.files("glacier_purge_profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _read_profile(name: str) -> _Layer:
    if name not in profile_names():
        raise ConfigurationFailed(f"there is no settings profile {name!r}; there are {', '.join(profile_names())}.")
    text = (resources.files("glacier_purge_profiles") / f"{name}.toml").read_text("utf-8")
    return _Layer(kind=_Kind.FILE, name=f"profile {name}", values=tomllib.loads(text))


def _read_file(file: Path) -> _Layer:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationFailed(f"settings file {file}: {error.strerror or error}.") from error
    except ValueError as error:  # not UTF-8, or not TOML: the message says where
        raise ConfigurationFailed(f"settings file {file} is not TOML: {error}.") from error
    return _Layer(kind=_Kind.FILE, name=str(file), values=values)


def _aws_variables() -> dict[str, object]:
    """Region and endpoint as AWS users set them. botocore itself does not read AWS_REGION."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    found = {"region": region, "endpoint_url": configured_endpoint_url(os.environ)}
    return {"aws": {name: value for name, value in found.items() if value}}


def _own_variables() -> dict[str, object]:
    known = {_PROFILE_VARIABLE, _FILE_VARIABLE}
    for section, field in Settings.model_fields.items():
        known |= {_variable((section,))} | {_variable((section, name)) for name in _names_in(field.annotation)}
    for variable in sorted(os.environ):
        if variable.upper().startswith(ENVIRONMENT_PREFIX) and variable.upper() not in known:
            gone = variable.upper() in map(_variable, _GONE)
            advice = _TAKE_OUT if gone else _nearest(variable.upper(), known)
            raise ConfigurationFailed(f"environment variable {variable} is not a setting.{advice}")
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigurationFailed(f"{error}: a whole section in a variable has to be JSON.") from error


def _merge(layers: list[_Layer]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for layer in layers:
        for section, values in layer.values.items():
            below = merged.get(section)
            both = isinstance(below, dict) and isinstance(values, dict)
            merged[section] = {**below, **values} if both else values  # type: ignore[dict-item]  # both are dicts here
    return merged


def _explain(error: ValidationError, layers: list[_Layer]) -> GlacierPurgeError:
    """Say for each fault where it stands; whose fault it is decides the exit code."""
    faults = error.errors(include_url=False, include_context=False)
    sources = [_source(_path(fault), layers) for fault in faults]
    message = "\n".join(_describe(fault, source) for fault, source in zip(faults, sources, strict=True))
    if all(source.kind is _Kind.ARGUMENTS for source in sources):
        return UsageError(message)
    return ConfigurationFailed(message)


def _describe(fault: ErrorDetails, source: _Layer) -> str:
    path = _path(fault)
    if fault["type"] == "extra_forbidden":
        known = _names_in(Settings if len(path) == 1 else Settings.model_fields[path[0]].annotation)
        return f"{source.place(path)} is not a setting.{_TAKE_OUT if path in _GONE else _nearest(path[-1], known)}"
    given = repr(fault["input"])
    shown = given if len(given) <= 60 else given[:60] + "…"
    return f"{source.place(path)} is {shown}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _path(fault: ErrorDetails) -> tuple[str, ...]:
    """Section and name of a setting, without what pydantic adds for the branches of a union."""
    return tuple(str(part) for part in fault["loc"][:2])


def _source(path: tuple[str, ...], layers: list[_Layer]) -> _Layer:
    return next(layer for layer in reversed(layers) if layer.holds(path))


def _variable(path: tuple[str, ...]) -> str:
    return ENVIRONMENT_PREFIX + ENVIRONMENT_DELIMITER.join(path).upper()


def _names_in(model: object) -> set[str]:
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return set(model.model_fields)


def _nearest(name: str, known: set[str]) -> str:
    matches = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else f" There are: {', '.join(sorted(known))}."
