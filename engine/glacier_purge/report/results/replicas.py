"""The answers of what makes a folder again from a bucket, and of what hands one over in it."""

from __future__ import annotations

from typing import Annotated

from glacier_purge.report.results.result import Result, about, moment


class RestoredAnswer(Result, frozen=True, kw_only=True, tag="restored"):
    """A folder that was made again from its replica, whole and checked."""

    origin: Annotated[str, about("Where the replica lies.")]
    vault: Annotated[str, about("The vault's name; of a fleet, how many vaults it has.")]
    files: Annotated[int, about("Files that came back besides the audit logs.")]
    records: Annotated[int, about("Records of the audit logs that came back.")]
    last_record: Annotated[str | None, moment("When the last of them was written (UTC).")]
    in_doubt: Annotated[int, about("Records without an outcome that may have been sent before; they are sent again.")]
    then: Annotated[str, about("The command that goes on with it.")]
    run_dir: Annotated[str, about("The folder.")]


class HandedOverAnswer(Result, frozen=True, kw_only=True, tag="handed-over"):
    """A folder that is whole in its replica, and on which nobody works any more."""

    origin: Annotated[str, about("Where the replica lies.")]
    vault: Annotated[str, about("The vault's name; of a fleet, how many vaults were begun.")]
    records: Annotated[int, about("Records of its last audit log, all of which are there; of a fleet, of all of them.")]
    was_at_work: Annotated[bool, about("Whether a process was stopped for it.")]
    then: Annotated[str, about("The command that goes on with it on another host.")]
    run_dir: Annotated[str, about("The folder.")]
