"""Settings from files, environment and command line, laid over each other; the later layer wins, value by value.

In order: the AWS profile (endpoint), a shipped profile, a company's file, a user's, the one that is named, AWS's
variables (region and endpoint), ``GLACIER_PURGE_*`` variables, what the command line or the caller gives.  Deny lists
add up instead, and a company's limits hold against every layer (``company``).  A name nobody knows is refused in every
layer, with the nearest known one and the place it stands in: a setting silently ignored is a safety limit silently off.
(pydantic-settings reads the environment but does not notice a misspelt section there, so that is checked here.)  A
setting that was called otherwise in an earlier version is read by both names; what is said about it names the one that
was written.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from glacier_purge.aws.endpoints import check_endpoint_url
from glacier_purge.aws.profiles import Configuration, Said
from glacier_purge.errors import ConfigurationFailed, GlacierPurgeError, UsageError
from glacier_purge.settings import places
from glacier_purge.settings.company import ADDED_UP, WALLS, added_up, allowed_in_words
from glacier_purge.settings.model import ENVIRONMENT_DELIMITER, ENVIRONMENT_PREFIX, HookSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_PROFILE_VARIABLE = f"{ENVIRONMENT_PREFIX}PROFILE"
_FILE_VARIABLE = f"{ENVIRONMENT_PREFIX}CONFIG"
_GONE = {("pace", "processes"), ("inventory", "job_queue")}
"""Settings of earlier versions, which old files still hold: they are refused like any other, but not guessed at."""
_TAKE_OUT = " It was one of an earlier version; take it out."
_Path = tuple[str, ...]
"""A setting by its section and its name."""
_HOOKS: _Path = ("hooks",)
_NOTHING = object()
RENAMED: Mapping[_Path, str] = {("pace", "max_per_second"): "max_rate", ("aws", "verify_certificates"): "verify_ssl"}
"""Settings by the names they had, each with the one it has now."""


class _Kind(Enum):
    FILE = "file"
    COMPANY = "company's file"
    ENVIRONMENT = "environment"
    ARGUMENTS = "arguments"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    kind: _Kind
    values: Mapping[str, object]
    place: Callable[[_Path], str]
    """Where a setting stands in this layer, as the person who wrote it would look for it."""
    written: Mapping[_Path, _Path] = field(default_factory=dict)
    """What stands in this layer by a name it had before."""
    line_of: Callable[[_Path], int | None] = lambda _: None
    """The line a setting stands in, where the layer has lines; asked for when it is told."""

    def told_of(self, path: _Path) -> str:
        """Where a value comes from, for who looks at all of them."""
        line = self.line_of(self.written.get(path, path))
        place = self.place_of(path)
        return place if line is None else f"{place.rpartition(': ')[0]}, line {line}"

    def without(self, paths: Collection[_Path]) -> Self:
        """The layer as if some settings did not stand in it."""
        values = {
            section: {name: value for name, value in values.items() if (section, name) not in paths}
            if isinstance(values, dict)
            else values
            for section, values in self.values.items()
        }
        return replace(self, values=values)

    def place_of(self, path: _Path) -> str:
        """Where a setting stands here, by the name it was written with."""
        return self.place(self.written.get(path, path))

    def holds(self, path: _Path) -> bool:
        return self.value_of(path) is not _NOTHING

    def value_of(self, path: _Path) -> object:
        """What stands in this layer for a setting; ``_NOTHING`` where nothing does."""
        node: object = self.values
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return _NOTHING
            node = node[part]
        return node


def argument(path: _Path) -> str:
    """What a caller of the library gave, in words."""
    return f"argument: {'.'.join(path)}"


def load_settings(
    *,
    file: Path | None = None,
    profile: str | None = None,
    arguments: Mapping[str, Mapping[str, object] | Sequence[object]] | None = None,
    called: Callable[[_Path], str] = argument,
) -> Settings:
    """Read the settings in force.

    ``file`` (or GLACIER_PURGE_CONFIG) is a TOML file; ``profile`` (or GLACIER_PURGE_PROFILE) names one of the shipped
    ones; ``arguments`` holds, section by section, what was asked for outright, and ``called`` says as what each was
    given.  Raises ``ConfigurationFailed`` for files and variables that are wrong, ``UsageError`` for wrong arguments
    and for endpoints and regions deletes must not go to.
    """
    layers, walls = _with_walls(_layers(file, profile, arguments or {}, called))
    settings = _validated(layers)
    _check_walls(settings, layers, walls)
    settings.keep_walls(walls)
    return settings


def origins(
    *,
    file: Path | None = None,
    profile: str | None = None,
    arguments: Mapping[str, Mapping[str, object] | Sequence[object]] | None = None,
    called: Callable[[_Path], str] = argument,
) -> dict[_Path, str]:
    """Where each value that ``load_settings`` gives comes from, in words; what is not in it has its default."""
    layers, _ = _with_walls(_layers(file, profile, arguments or {}, called))
    found: dict[_Path, str] = {}
    for section, model in Settings.model_fields.items():
        paths: list[_Path] = [(section, name) for name in _names_in(model.annotation)]
        for path in paths or [(section,)]:
            holding = [layer for layer in layers if layer.holds(path)]
            told = holding if path in ADDED_UP else holding[-1:]
            if told:
                found[path] = "; ".join(dict.fromkeys(layer.told_of(path) for layer in told))
    return found


def _layers(
    file: Path | None,
    profile: str | None,
    arguments: Mapping[str, Mapping[str, object] | Sequence[object]],
    called: Callable[[_Path], str],
) -> list[_Layer]:
    given = _Layer(kind=_Kind.ARGUMENTS, place=called, values=dict(arguments))
    files = [*map(_in_present_names, _files(file, profile))]
    over = [*map(_in_present_names, [_own_environment(), given])]
    configuration = Configuration.of_profile(_named_profile([*files, *over]))
    return [_aws_profile(configuration), *files, _aws_variables(configuration), *over]


def _validated(layers: list[_Layer]) -> Settings:
    try:
        return Settings.model_validate(_merge(layers))
    except ValidationError as error:
        raise _explain(error, layers) from None
    except UsageError as refused:
        raise UsageError(f"{_place_refused(layers)}: {refused}") from refused


def _with_walls(layers: list[_Layer]) -> tuple[list[_Layer], dict[_Path, Any]]:
    """The layers, and the limits that a company's file sets; where a shipped profile is stricter, that one counts.

    The file is read by itself: a limit that is wrong is refused, and not passed over because another layer says
    something else.
    """
    at = next((at for at, layer in enumerate(layers) if layer.kind is _Kind.COMPANY), None)
    if at is None:
        return layers, {}
    company, below = layers[at], [layer for layer in layers[:at] if any(map(layer.holds, WALLS))]
    own = _validated([replace(company, values={name: one for name, one in company.values.items() if name != "aws"})])
    walls = {path: _value(own, path) for path in WALLS if company.holds(path)}
    said = _validated(below)
    passed = [path for path in walls if any(one.holds(path) for one in below) and _is_within(path, walls, said)]
    return [*layers[:at], company.without(passed), *layers[at + 1 :]], walls


def _is_within(path: _Path, walls: Mapping[_Path, Any], settings: Settings) -> bool:
    return WALLS[path](walls[path], _value(settings, path))


def _check_walls(settings: Settings, layers: list[_Layer], walls: Mapping[_Path, Any]) -> None:
    for path, limit in walls.items():
        if _is_within(path, walls, settings):
            continue
        asked, source = _value(settings, path), _source(path, layers)
        company = next(layer for layer in layers if layer.kind is _Kind.COMPANY)
        refused = UsageError if source.kind is _Kind.ARGUMENTS else ConfigurationFailed
        shown = "none" if asked is None else list(asked) if isinstance(asked, tuple) else asked
        raise refused(
            f"{source.place_of(path)} is {shown}, and {company.told_of(path)}, allows {allowed_in_words(path, limit)}. "
            "Ask for less, or ask whoever keeps that file. Nothing was sent."
        )


def _value(settings: Settings, path: _Path) -> Any:
    return getattr(getattr(settings, path[0]), path[1])


def former_names(*, file: Path | None = None, profile: str | None = None) -> dict[_Path, str]:
    """The settings that file and environment give by a name of an earlier version, each with the place it stands in."""
    layers = map(_in_present_names, [*_files(file, profile), _own_environment()])
    return {path: layer.place_of(path) for layer in layers for path in layer.written}


def _files(file: Path | None, profile: str | None) -> list[_Layer]:
    """The layers of our own that lie in files."""
    profile = profile or os.environ.get(_PROFILE_VARIABLE)
    named_file = file or os.environ.get(_FILE_VARIABLE)
    users = places.user_file()
    return [
        *([_read_profile(profile)] if profile else []),
        *([_read_file(places.COMPANY_FILE, _Kind.COMPANY)] if places.is_there(places.COMPANY_FILE) else []),
        *([_read_file(users)] if users is not None and places.is_there(users) else []),
        *([_read_file(Path(named_file))] if named_file else []),
    ]


def _own_environment() -> _Layer:
    return _Layer(kind=_Kind.ENVIRONMENT, place=_place_in_environment, values=_own_variables())


def _named_profile(layers: list[_Layer]) -> str | None:
    """The AWS profile that is asked for; None leaves it to AWS's own rules."""
    aws = _merge(layers).get("aws")
    named = aws.get("profile") if isinstance(aws, dict) else None
    return named if isinstance(named, str) else None


def _in_present_names(layer: _Layer) -> _Layer:
    """The layer with every setting by the name it has now. Raises ``ConfigurationFailed`` where it is given twice."""
    values = dict(layer.values)
    written: dict[_Path, _Path] = {}
    for before, name in RENAMED.items():
        section = values.get(before[0])
        if not isinstance(section, dict) or before[1] not in section:
            continue
        now = (before[0], name)
        if name in section:
            raise ConfigurationFailed(
                f"{layer.place(before)} and {layer.place(now)} are one setting, which earlier versions called "
                f"{before[1]}. Take out {before[1]}."
            )
        values[before[0]] = {(name if key == before[1] else key): value for key, value in section.items()}
        written[now] = before
    return replace(layer, values=values, written=written)


def profile_names() -> list[str]:
    """The profiles that ship with this package."""
    folder = resources.files("glacier_purge_profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _read_profile(name: str) -> _Layer:
    if name not in profile_names():
        raise ConfigurationFailed(f"there is no settings profile {name!r}; there are {', '.join(profile_names())}.")
    text = (resources.files("glacier_purge_profiles") / f"{name}.toml").read_text("utf-8")
    return _in_file(f"profile {name}", tomllib.loads(text), text)


def _read_file(file: Path, kind: _Kind = _Kind.FILE) -> _Layer:
    values, text = places.read_settings_file(file)
    return _in_file(str(file), values, text, kind)


def _in_file(name: str, values: Mapping[str, object], text: str, kind: _Kind = _Kind.FILE) -> _Layer:
    return _Layer(
        kind=kind,
        place=lambda path: f"{name}: {_named(path)}",
        values=values,
        line_of=lambda path: places.line_of(path, text),
    )


def _named(path: _Path) -> str:
    """A setting as people speak of it."""
    return f"hook {int(path[1]) + 1}" if path[:1] == _HOOKS and len(path) > 1 else ".".join(path)


def _aws_variables(configuration: Configuration) -> _Layer:
    """Region and endpoint as AWS users set them in the environment. botocore itself does not read AWS_REGION."""
    variable = next(filter(os.environ.get, ("AWS_REGION", "AWS_DEFAULT_REGION")), None)
    return _as_layer(
        {
            "region": Said(value=os.environ[variable], place=variable) if variable else None,
            "endpoint_url": configuration.endpoint_of_environment("glacier"),
            "use_fips_endpoint": configuration.of_environment("AWS_USE_FIPS_ENDPOINT"),
        }
    )


def _aws_profile(configuration: Configuration) -> _Layer:
    """The endpoint as the AWS profile has it; its region counts after an inventory's (api/addresses)."""
    return _as_layer(
        {
            "endpoint_url": configuration.endpoint_of_profile("glacier"),
            "use_fips_endpoint": configuration.in_profile("use_fips_endpoint"),
        }
    )


def _as_layer(found: Mapping[str, Said | None]) -> _Layer:
    """What AWS's own configuration says; a switch is on where it says "true", as botocore has it."""
    said = {name: one for name, one in found.items() if one is not None}
    return _Layer(
        kind=_Kind.FILE,
        place=lambda path: said[path[1]].place,
        values={
            "aws": {
                name: one.value.lower() == "true" if name == "use_fips_endpoint" else one.value
                for name, one in said.items()
            }
        },
    )


def _own_variables() -> dict[str, object]:
    known = {_PROFILE_VARIABLE, _FILE_VARIABLE}
    for section, model in Settings.model_fields.items():
        known |= {_variable((section,))} | {_variable((section, name)) for name in _names_in(model.annotation)}
    read = known | set(map(_variable, RENAMED))
    for variable in sorted(os.environ):
        if variable.upper().startswith(ENVIRONMENT_PREFIX) and variable.upper() not in read:
            gone = variable.upper() in map(_variable, _GONE)
            advice = _TAKE_OUT if gone else _nearest(variable.upper(), known)
            raise ConfigurationFailed(f"environment variable {variable} is not a setting.{advice}")
    try:
        return _Variables(Settings)()
    except SettingsError as error:
        why = f" ({error.__cause__})" if error.__cause__ is not None else ""
        raise ConfigurationFailed(f"{error}: a whole section in a variable has to be JSON{why}.") from error


class _Variables(EnvSettingsSource):
    """pydantic's reader, but for a section in which a setting stands twice: it would go by the last of them."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read a section, or a list, that a variable holds as JSON. Raises ``ValueError``."""
        return json.loads(value, object_pairs_hook=_each_once)


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a setting stands in it twice")
    return found


def _place_in_environment(path: _Path) -> str:
    """A setting has a variable of its own, or stands in its section's, which is JSON."""
    if path[:1] == _HOOKS:
        return _variable(_HOOKS) if path == _HOOKS else f"{_variable(_HOOKS)}: {_named(path)}"
    own, set_here = _variable(path), {name.upper() for name in os.environ}
    return own if own in set_here else f"{_variable(path[:1])}: {'.'.join(path[1:])}"


def _merge(layers: list[_Layer]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for layer in layers:
        for section, values in layer.values.items():
            below = merged.get(section)
            if section in merged and (section,) in ADDED_UP:
                merged[section] = added_up((section,), below, values)
            elif isinstance(below, dict) and isinstance(values, dict):
                for name, value in values.items():
                    below[name] = added_up((section, name), below[name], value) if name in below else value
            else:
                merged[section] = dict(values) if isinstance(values, dict) else values
    return merged


def _explain(error: ValidationError, layers: list[_Layer]) -> GlacierPurgeError:
    """Say for each fault where it stands; whose fault it is decides the exit code."""
    faults = error.errors(include_url=False, include_context=False)
    sources = [_source(_path(fault), layers) for fault in faults]
    message = "\n".join(
        _describe_hook(fault, source, layers) if _path(fault)[:1] == _HOOKS else _describe(fault, source)
        for fault, source in zip(faults, sources, strict=True)
    )
    if all(source.kind is _Kind.ARGUMENTS for source in sources):
        return UsageError(message)
    return ConfigurationFailed(message)


def _place_refused(layers: list[_Layer]) -> str:
    """Where the endpoint or the region stands that deletes must not go to."""
    aws = _merge(layers)["aws"]
    assert isinstance(aws, dict)
    name = "region"
    if (endpoint_url := aws.get("endpoint_url")) is not None:
        try:
            check_endpoint_url(endpoint_url)
        except UsageError:
            name = "endpoint_url"
    path = ("aws", name)
    return _source(path, layers).place_of(path)


def _describe(fault: ErrorDetails, source: _Layer) -> str:
    path = _path(fault)
    if fault["type"] == "extra_forbidden":
        known = _names_in(Settings if len(path) == 1 else Settings.model_fields[path[0]].annotation)
        return f"{source.place_of(path)} is not a setting.{_TAKE_OUT if path in _GONE else _nearest(path[-1], known)}"
    given = repr(fault["input"])
    shown = given if len(given) <= 60 else given[:60] + "…"
    return f"{source.place_of(path)} is {shown}: {_in_words(fault['msg'])}."


def _describe_hook(fault: ErrorDetails, source: _Layer, layers: list[_Layer]) -> str:
    """What is wrong with a hook, without what was given: it may be a secret."""
    names = [str(part) for part in fault["loc"][2:]]
    before = sum(map(_hooks_in, layers[: layers.index(source)]))
    place = source.place_of((*_HOOKS, *(str(int(number) - before) for number in fault["loc"][1:2])))
    if fault["type"] == "extra_forbidden":
        return f"{place}: {names[-1]} is not a setting of a hook.{_nearest(names[-1], _names_in(HookSettings))}"
    name = f"{names[0]}: " if names else ""
    return f"{place}: {name}{_in_words(fault['msg'])}."


def _hooks_in(layer: _Layer) -> int:
    hooks = layer.values.get("hooks", ())
    return len(hooks) if isinstance(hooks, list | tuple) else 0


def _in_words(message: str) -> str:
    """What pydantic says, as it reads after a value."""
    message = message.removeprefix("Value error, ").replace("Input should be", "it has to be", 1)
    return message[0].lower() + message[1:]


def _path(fault: ErrorDetails) -> _Path:
    """Section and name of a setting, without what pydantic adds for the branches of a union."""
    return tuple(str(part) for part in fault["loc"][:2])


def _source(path: _Path, layers: list[_Layer]) -> _Layer:
    if path[:1] == _HOOKS and len(path) > 1:  # counted through all layers
        counted = accumulate(map(_hooks_in, layers))
        return next(layer for layer, count in zip(layers, counted, strict=True) if int(path[1]) < count)
    holding = [layer for layer in layers if layer.holds(path)]
    wrong = [one for one in holding if path in ADDED_UP and not isinstance(one.value_of(path), list | tuple)]
    return wrong[0] if wrong else holding[-1]


def _variable(path: _Path) -> str:
    return ENVIRONMENT_PREFIX + ENVIRONMENT_DELIMITER.join(path).upper()


def _names_in(model: object) -> set[str]:
    return set(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else set()


def _nearest(name: str, known: set[str]) -> str:
    matches = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else f" There are: {', '.join(sorted(known))}."
