"""One event as it leaves: CloudEvents 1.0, the data as the room that shows it has made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from glacier_purge.happenings import Happening

CONTENT_TYPE = "application/cloudevents+json"
_VARIABLES = ("vault", "vault_arn", "run_dir", "phase", "digest", "message", "next")
"""The data that a command also finds in its environment, where a script has it at hand."""


class NotTold(Exception):
    """A hook did not take an event. The message says why, without secrets, and ends without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is sent: its id, what happened, and the whole event as JSON."""

    id: str
    happening: Happening
    body: bytes
    variables: Mapping[str, str]


def cloud_event(
    happening: Happening, data: Mapping[str, Any], *, event_id: str, at: datetime, prefix: str = "GLACIER_PURGE_"
) -> Event:
    """Make the event of what happened: its source is the vault, its subject the folder of the run."""
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": data["vault_arn"] or f"urn:glacier-purge:vault:{data['vault']}",
        "type": f"glacier-purge.{happening}",
        "subject": data["run_dir"],
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "datacontenttype": "application/json",
        "dataschema": f"urn:glacier-purge:event:{happening}",
        "data": data,
    }
    told = {name: "" if data[name] is None else str(data[name]) for name in _VARIABLES}
    variables = {f"{prefix}{name.upper()}": value.replace("\0", "") for name, value in told.items()}
    return Event(
        id=event_id,
        happening=happening,
        body=msgspec.json.encode(body),
        variables=variables | {f"{prefix}EVENT": happening.value},
    )
