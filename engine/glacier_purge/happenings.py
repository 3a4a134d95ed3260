"""What somebody may want to be told of while nobody watches, by name. Rooms say it to one listener; who is told by what
means (``hooks``) none of them knows."""

from __future__ import annotations

from enum import StrEnum


class Happening(StrEnum):
    """What happened to a vault's work."""

    APPROVAL_WANTED = "approval_wanted"
    HELD = "held"
    STOPPED = "stopped"
    FAILED = "failed"
    WAITING_LONG = "waiting_long"
    FINISHED = "finished"
    VAULT_DELETED = "vault_deleted"
