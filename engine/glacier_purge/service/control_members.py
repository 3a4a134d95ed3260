"""The members of the service's answers to control calls, read into the port's own values. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from glacier_purge.service.control import InventoryScope, Job, JobAction, JobState, Removal
from glacier_purge.service.reply import Meaning, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_YET = "Vault not empty or recently written to"
"""DeleteVault's message before a newer inventory says zero (glacier-vault-remove #28)."""


def read_removal(reply: Reply) -> Removal | None:
    """What a refusal of DeleteVault says of the vault; None when it is about something else."""
    if reply.code == "InvalidParameterValueException" and reply.message.startswith(_NOT_YET):
        return Removal.NOT_YET
    if reply.meaning is Meaning.NO_LONGER_SUPPORTED:
        return Removal.NO_LONGER_SUPPORTED
    return Removal.MISSING if reply.meaning is Meaning.VAULT_MISSING else None


def read_job(members: Mapping[str, Any]) -> Job:
    """Read a GlacierJobDescription."""
    scope = members.get("InventoryRetrievalParameters")
    created = read_time(members["CreationDate"])
    assert created is not None
    return Job(
        job_id=members["JobId"],
        action=JobAction(members["Action"]),
        state=JobState(members["StatusCode"]),
        created=created,
        completed=read_time(members.get("CompletionDate")),
        status_message=members.get("StatusMessage"),
        description=members.get("JobDescription"),
        inventory=None if scope is None else _scope(scope),
        archive_id=members.get("ArchiveId"),
        size_bytes=members.get("InventorySizeInBytes"),
    )


def _scope(members: Mapping[str, Any]) -> InventoryScope:
    return InventoryScope(
        format=members.get("Format", ""),
        start_date=members.get("StartDate"),
        end_date=members.get("EndDate"),
        limit=members.get("Limit"),
        marker=members.get("Marker"),
    )


def read_time(text: str | None) -> datetime | None:
    """Read a time as the service writes it."""
    return None if text is None else datetime.fromisoformat(text)
