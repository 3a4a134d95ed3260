"""``config show`` and ``config schema``: the settings in force, what a settings file may hold, and what verbs print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier_purge.cli.options import Aws, AwsOptions, LogOptions, Logs, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_text, tell
from glacier_purge.report.terminal import safe, safe_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMN_MAX = 44
"""Where the origins stand, unless a value is longer."""


def show(
    *,
    source: SettingsSource = SettingsOptions(),
    aws: Aws = AwsOptions(),
    logs: Logs = LogOptions(),
    output: Output = OutputFormat.TEXT,
) -> None:
    """Print the settings in force, and where each comes from: files, environment and command line laid over each other.

    As text it is a settings file, to be copied and changed, with the file and line, variable or option behind each
    value. What a file or a variable gives by a name that a setting had in an earlier version is read all the same, and
    told here.

    Examples
    --------
    glacier-purge config show
    # A file of one's own, to be changed.
    glacier-purge config show --settings-profile gentle > glacier-purge.toml
    """
    in_force, origins = source.load(aws), source.origins(aws)
    settings = in_force.model_dump(mode="json")
    for shown, hook in zip(settings["hooks"], in_force.hooks, strict=True):
        if hook.url is not None:  # which may hold a secret, as those of chat services do
            shown["url"] = hook.name
    if output is OutputFormat.JSON:
        head = {"result": "settings", "format": 1}
        print_text(json.dumps(head | settings | {"origins": {".".join(path): told for path, told in origins.items()}}))
    else:
        print_text(safe_lines(as_toml(settings, origins)))
    for setting, place in source.former_names().items():
        tell(f"{place} is called {setting} now. It is read by both names; write {setting} when you next change it.")


def schema(*verb: str, all_to: Path | None = None, logs: Logs = LogOptions()) -> None:
    """Print the JSON Schema of a settings file, or with a VERB that of what it prints with --output json.

    With "event NAME" it is that of the data that a hook gets.

    Parameters
    ----------
    verb
        The verb, as in: config schema inventory fetch.
    all_to
        Folder to write the schemas of all verbs to, a file each, instead of printing one.

    Examples
    --------
    glacier-purge config schema
    glacier-purge config schema inventory fetch
    """
    from glacier_purge.cli.schemas import EVENTS, VERBS, answer_schema, event_schema, file_name, settings_schema
    from glacier_purge.errors import UsageError

    asked = " ".join(verb)
    if all_to is not None:
        all_to.mkdir(parents=True, exist_ok=True)
        schemas = {one: answer_schema(one) for one in VERBS} | {one: event_schema(one) for one in EVENTS}
        for one, document in schemas.items():
            (all_to / f"{file_name(one)}.json").write_text(_as_document(document) + "\n", "utf-8")
    elif not asked:
        print_text(_as_document(settings_schema()))
    elif asked in VERBS:
        print_text(_as_document(answer_schema(asked)))
    elif asked in EVENTS:
        print_text(_as_document(event_schema(asked)))
    else:
        raise UsageError(f"{asked!r} prints no JSON. These do: {', '.join(sorted([*VERBS, *EVENTS]))}.")


def _as_document(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2)


def as_toml(settings: Mapping[str, Any], origins: Mapping[tuple[str, ...], str]) -> str:
    """Write settings as TOML, each with where it comes from; what is not set, which TOML cannot say, is a comment."""
    sections = []
    for section, values in settings.items():
        if isinstance(values, list):
            place = origins.get((section,), "default")
            sections += [f"[[{section}]]  # {safe(place)}\n" + "\n".join(_lines(one)) for one in values]
            continue
        lines = _lines(values)
        width = min(max(map(len, lines)), _COLUMN_MAX)
        told = [origins.get((section, name), "default") for name in values]
        sections.append(
            "\n".join(
                [f"[{section}]", *(f"{line:<{width}}  # {safe(one)}" for line, one in zip(lines, told, strict=True))]
            )
        )
    return "\n\n".join(sections)


def _lines(values: Mapping[str, object]) -> list[str]:
    return [_as_line(name, value) for name, value in values.items()]


def _as_line(name: str, value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's, as long as they are ASCII.
    return f"# {name} is not set" if value is None else f"{name} = {json.dumps(value)}"
