"""The JSON Schema of everything commands print for programs, written from the types of the answers.

``config/schemas`` holds them for editors and for programs that check what they read; ``glacier-purge config schema
VERB`` prints them anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from glacier_purge.cli.benching.result import Benched
from glacier_purge.report.results.approving import ApprovalMade
from glacier_purge.report.results.auditing import AllAudited, Anchored, Audited, Bundled
from glacier_purge.report.results.clusters import ClusterOrdered, ClusterStarted, ClusterStatus
from glacier_purge.report.results.happened import (
    ApprovalWanted,
    Failed,
    Finished,
    Happened,
    Held,
    Stopped,
    VaultDeleted,
    WaitingLong,
)
from glacier_purge.report.results.lifecycles import Abandoned, FleetStatus, LifecycleStatus, LifecycleUnreadable, Thawed
from glacier_purge.report.results.planning import AllShown, Diagnosed, Fetched, Inspected, Planned, Shown
from glacier_purge.report.results.replicas import HandedOverAnswer, RestoredAnswer
from glacier_purge.report.results.reporting import FleetReported, VaultReported
from glacier_purge.report.results.result import Result
from glacier_purge.report.results.running import Ordered, Purged, Removed, RunStatus, Verified, Waits
from glacier_purge.report.results.stepping import FleetStepped, Stepped
from glacier_purge.report.results.surveying import Estimated, VaultsSeen
from glacier_purge.report.results.telling import Told
from glacier_purge.settings import Settings
from glacier_simulator.kit import Announcement

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SETTINGS = "config show"

_ANSWERS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "abandon": (Abandoned,),
    "apply": (Purged,),
    "approve": (ApprovalMade,),
    "audit anchor": (Anchored,),
    "audit bundle": (Bundled,),
    "audit verify": (Audited, AllAudited),
    "bench": (Benched,),
    "cluster approve": (ClusterOrdered,),
    "cluster pause": (ClusterOrdered,),
    "cluster rate": (ClusterOrdered,),
    "cluster resume": (ClusterOrdered,),
    "cluster start": (ClusterStarted,),
    "cluster status": (ClusterStatus,),
    "cluster stop": (ClusterOrdered,),
    "delete-vault": (Removed, Waits),
    "demo": (Purged,),
    "doctor": (Diagnosed,),
    "estimate": (Estimated,),
    "fleet": (FleetStepped,),
    "handover": (HandedOverAnswer,),
    "inventory fetch": (Fetched, Waits),
    "inventory inspect": (Inspected,),
    "pause": (Ordered,),
    "plan": (Planned, Waits),
    "purge": (Purged, Waits),
    "rate": (Ordered,),
    "report": (VaultReported, FleetReported),
    "restore": (RestoredAnswer,),
    "resume": (Ordered,),
    "run": (Stepped,),
    "show": (Shown, AllShown),
    "simulate": (Announcement,),
    "status": (RunStatus, LifecycleStatus, LifecycleUnreadable, FleetStatus),
    "stop": (Ordered,),
    "take": (Purged, Stepped, FleetStepped),
    "thaw": (Thawed,),
    "vaults": (VaultsSeen,),
    "verify": (Verified, Waits),
    "why": (Told,),
}

_ORIGINS = {
    "type": "object",
    "description": "Where each setting that is not at its default comes from: file and line, variable or option.",
    "additionalProperties": {"type": "string"},
}

VERBS = (*_ANSWERS, _SETTINGS)
"""Every command that answers programs."""

EVENTS: dict[str, type[Happened]] = {
    f"event {kind.__struct_config__.tag}": kind
    for kind in (ApprovalWanted, Held, Stopped, Failed, WaitingLong, Finished, VaultDeleted)
}
"""What hooks are told, by name."""


def settings_schema() -> dict[str, Any]:
    """The schema of a settings file."""
    return {"$schema": DIALECT, **Settings.model_json_schema()}


def answer_schema(verb: str) -> dict[str, Any]:
    """The schema of what one of ``VERBS`` prints for programs."""
    head = {
        "$schema": DIALECT,
        "$id": f"urn:glacier-purge:answer:{file_name(verb)}",
        "title": "glacier-purge simulate" if verb == "simulate" else f"glacier-purge {verb} --output json",
    }
    return head | (_settings_shown() if verb == _SETTINGS else _one_of(_ANSWERS[verb]))


def event_schema(event: str) -> dict[str, Any]:
    """The schema of the data of one of ``EVENTS``."""
    _, _, kind = event.partition(" ")
    head = {"$schema": DIALECT, "$id": f"urn:glacier-purge:event:{kind}", "title": f"The data of the event {kind}"}
    return head | _one_of((EVENTS[event],))


def file_name(verb: str) -> str:
    """What the schema's file is called, without its ending."""
    return verb.replace(" ", "-")


def _one_of(answers: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    refs, definitions = msgspec.json.schema_components(answers, ref_template="#/$defs/{name}")
    for answer in _versioned():
        if answer.__name__ in definitions:
            _complete(definitions[answer.__name__], answer)
    for definition in definitions.values():
        definition["description"] = " ".join(definition["description"].replace("``", "").split())
    return {**(refs[0] if len(refs) == 1 else {"anyOf": list(refs)}), "$defs": definitions}


def _complete(schema: dict[str, Any], answer: type[msgspec.Struct]) -> None:
    """Say what the types alone don't: the version, and that a member with a default is always there."""
    tag = answer.__struct_config__.tag_field
    fields = msgspec.structs.fields(answer)
    schema["required"] = [tag, *(one.encode_name for one in fields if one.default is not msgspec.UNSET)]
    schema["properties"]["format"]["const"] = next(one.default for one in fields if one.name == "format")
    schema["properties"][tag]["description"] = "The kind of answer."


def _versioned() -> Iterator[type[msgspec.Struct]]:
    """Every answer there is, also those inside of others."""
    yield Announcement
    waiting: list[type[Result]] = [Result]
    while waiting:
        answer = waiting.pop()
        waiting += answer.__subclasses__()
        yield answer


def _settings_shown() -> dict[str, Any]:
    """The settings in force are a settings file with the two members that every answer has."""
    schema = Settings.model_json_schema(mode="serialization")
    head = {
        "result": {"const": "settings", "description": "The kind of answer."},
        "format": {"const": 1, "description": "Version of this answer."},
    }
    return schema | {
        "title": f"glacier-purge {_SETTINGS} --output json",
        "properties": head | schema["properties"] | {"origins": _ORIGINS},
        "required": [*head, *schema["properties"], "origins"],
    }
