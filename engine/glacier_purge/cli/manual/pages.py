"""The reference as pages of Markdown: verbs, settings, exit codes, and what verbs answer programs with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from glacier_purge.cli.exit_codes import MEANINGS
from glacier_purge.cli.manual.described import everything
from glacier_purge.cli.manual.places import ENVIRONMENT, FILES
from glacier_purge.cli.options import option_of_setting
from glacier_purge.cli.schemas import EVENTS, VERBS, answer_schema, event_schema
from glacier_purge.settings.model import ENVIRONMENT_DELIMITER, ENVIRONMENT_PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

    from glacier_purge.cli.manual.described import Described, Option

_UNITS = {
    "_seconds": "seconds",
    "_bytes": "bytes",
    "_per_second": "a second",
    "_days": "days",
    "_share": "0 to 1",
    "_archives": "archives",
    "_records": "records",
    "_rate": "a second",
}
"""The unit of a setting or a member, by how its name ends (before ``_max``)."""


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    return {
        "verbs.md": _page(_verbs()),
        "settings.md": _page(_settings()),
        "exit-codes.md": _page(_exit_codes()),
        "answers.md": _page(_answers()),
    }


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _verbs() -> Iterator[str]:
    verbs, shared = everything()
    yield "# Verbs"
    for verb in verbs:
        yield from _verb(verb)
    yield from ("", "## Options of several verbs")
    for title, options in shared.items():
        yield from ("", f"### {title}", "", *_options(options))
    yield from ("", "## Environment", "", *_table(("variable", "what it says"), ENVIRONMENT.items()))
    yield from ("", "## Where things lie", "", *_table(("place", "what lies there"), FILES.items()))


def _verb(verb: Described) -> Iterator[str]:
    yield from ("", f"## {verb.called}", "", "```text", verb.usage, "```")
    for paragraph in verb.paragraphs:
        yield from ("", _text(paragraph))
    if verb.own:
        yield from ("", *_options(verb.own))
    if verb.groups:
        links = [f"[{title}](#{title.lower().replace(' ', '-')})" for title in verb.groups]
        yield from ("", f"And the options of several verbs: {', '.join(links)}.")
    yield from ("", "```bash", *verb.examples, "```", "")
    yield from _table(("exit code", "means"), ((str(code.value), text) for code, text in verb.endings.items()))


def _options(options: Iterable[Option]) -> Iterator[str]:
    return _table(("option", "what it does"), ((option.written, option.text) for option in options))


def _settings() -> Iterator[str]:
    groups = [group for verb in everything()[0] for group in verb.groups.values()]
    options = {option.written.split()[0] for group in groups for option in group}
    yield from (
        "# All settings",
        "",
        "[Settings files](../configuration.md) tells where they are read from and what wins.",
    )
    for section, field in Settings.model_fields.items():
        in_list = get_args(field.annotation)  # as hooks, which are no section but as many tables as there are hooks
        model: type[BaseModel] = (*in_list, field.annotation)[0]
        yield from ("", f"## {section}", "", _text((model.__doc__ or "").partition(" Raises ")[0]), "")
        rows = []
        for name, setting in model.model_fields.items():
            option = option_of_setting((section, name))
            variable = f"{ENVIRONMENT_PREFIX}{section}" + ("" if in_list else f"{ENVIRONMENT_DELIMITER}{name}")
            default = setting.get_default(call_default_factory=True)
            rows.append(
                (
                    f"{section}.{name}",
                    "not set" if default is None else json.dumps(default, default=str),
                    _unit(name),
                    ", ".join([variable.upper(), *([option] if option in options else [])]),
                    setting.description or "",
                )
            )
        yield from _table(("setting", "default", "unit", "also given by", "what it says"), rows)


def _unit(name: str) -> str:
    ending = name.removesuffix("_max")
    return next((unit for end, unit in _UNITS.items() if f"_{ending}".endswith(end)), "")


def _exit_codes() -> Iterator[str]:
    yield from (
        "# Exit codes",
        "",
        "What each verb ends with stands with [the verb](verbs.md), in words of its own.",
        "",
    )
    yield from _table(("exit code", "means"), ((str(code.value), text) for code, text in MEANINGS.items()))


def _answers() -> Iterator[str]:
    yield from ("# Answers for programs", "")
    yield "What verbs print with `--output json`: a document on a line of ASCII. `glacier-purge config schema VERB`"
    yield "prints its JSON Schema. New members may come; `format` is raised when one goes or means something else."
    told: set[str] = set()
    yield "What hooks are told (`event NAME`) is the data of an event; [Being told](../hooks.md) has what is around it."
    schemas = {verb: answer_schema(verb) for verb in VERBS} | {event: event_schema(event) for event in EVENTS}
    for verb, schema in schemas.items():
        definitions = schema.pop("$defs", {})
        yield from ("", f"## {verb}", "")
        if "properties" in schema:
            yield from _members(schema)
        else:
            answers = [one["$ref"].rpartition("/")[2] for one in schema.get("anyOf", [schema])]
            yield f"{'One of ' if len(answers) > 1 else ''}{', '.join(map(_link, answers))}."
        for name, definition in definitions.items():
            if name not in told and "properties" in definition:
                told.add(name)
                yield from ("", f"### {name}", "", _text(definition.get("description", "")), "", *_members(definition))


def _members(schema: Mapping[str, Any]) -> Iterator[str]:
    rows = ((name, _kind(one), one.get("description", "")) for name, one in schema["properties"].items())
    return _table(("member", "kind", "what it says"), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """What a member holds, in a word or two."""
    match schema:
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return ", ".join(map(json.dumps, values))
        case {"anyOf": kinds}:
            return " or ".join(dict.fromkeys(map(_kind, kinds)))
        case {"$ref": place}:
            return str(place).rpartition("/")[2]
        case {"type": "array", "items": {} as items} if items:
            return f"list of {_kind(items)}"
        case {"format": "date-time"}:
            return "time"
        case {"type": kind}:
            return str(kind)
        case _:
            return "object" if "properties" in schema else ""


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table; what stands in the first column is typed as it stands."""
    yield from (f"| {' | '.join(head)} |", f"|{'---|' * len(head)}")
    for first, *others in rows:
        typed = first.replace("|", "\\|")
        yield f"| {' | '.join([f'`{typed}`', *map(_text, others)])} |"


def _text(text: str) -> str:
    """Plain text, in which no character orders anything."""
    for character in "\\*_<>[]|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.replace("``", "`").split())
