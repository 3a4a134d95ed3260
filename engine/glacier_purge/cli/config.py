"""``config show`` and ``config schema``: the settings in force, and what a settings file may hold."""

from __future__ import annotations

import json

from glacier_purge.cli.options import Aws, AwsOptions, Output, SettingsOptions, SettingsSource
from glacier_purge.cli.output import OutputFormat, print_text, tell
from glacier_purge.report.terminal import safe_lines

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def show(
    *,
    source: SettingsSource = SettingsOptions(),
    aws: Aws = AwsOptions(),
    output: Output = OutputFormat.TEXT,
) -> None:
    """Print the settings in force: profile, file, environment and command line laid over each other.

    As text it is a settings file, to be copied and changed. What a file or a variable gives by a name that a setting
    had in an earlier version is read all the same, and told here.
    """
    settings = source.load(aws).model_dump(mode="json")
    print_text(json.dumps(settings) if output is OutputFormat.JSON else safe_lines(as_toml(settings)))
    for setting, place in source.former_names().items():
        tell(f"{place} is called {setting} now. It is read by both names; write {setting} when you next change it.")


def schema() -> None:
    """Print the JSON Schema of a settings file, for editors."""
    from glacier_purge.settings import Settings

    print_text(json.dumps({"$schema": SCHEMA_DIALECT, **Settings.model_json_schema()}, indent=2))


def as_toml(settings: dict[str, dict[str, object]]) -> str:
    """Write settings as TOML; what is not set, which TOML cannot say, is a comment."""
    sections = []
    for section, values in settings.items():
        lines = [f"[{section}]", *(_as_line(name, value) for name, value in values.items())]
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _as_line(name: str, value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's, as long as they are ASCII.
    return f"# {name} is not set" if value is None else f"{name} = {json.dumps(value)}"
