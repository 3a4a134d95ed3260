"""The run folder: where everything about one purge lies.

A folder belongs to one vault and one plan for ever.  Its name may carry the vault's, its rights are the owner's
alone.  Two locks (``locks``) are held for the life of a process that sends deletes: the folder's, one writer per run,
and the vault's on this host, so that two folders cannot purge the same vault side by side.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from glacier_purge.errors import PlanRefused, UsageError
from glacier_purge.json_document import DocumentUnreadable, read_document
from glacier_purge.run import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glacier_purge.archive import Vault

PLAN_FILE = "plan.json"
IDENTITY_FILE = "run.json"
AUDIT_FOLDER = "audit"


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What run this is; written once when the folder is made. ``created`` is UTC, ISO 8601.

    ``retrievals_looked_at`` tells whether the service said which archives are being retrieved when the run was planned;
    it stands here and not in the plan, whose digest must not depend on where it was made.  None in older folders.
    """

    run: str
    vault_arn: str
    endpoint_url: str
    tool_version: str
    package_sha256: str
    created: str
    retrievals_looked_at: bool | None = None


class RunFolder:
    """An existing run folder that is safe to use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.audit = path / AUDIT_FOLDER
        self.plan_file = path / PLAN_FILE

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a new folder, rights 0700. Raises ``UsageError`` when something is there already."""
        try:
            path.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            if path.is_symlink() or not path.is_dir() or any(path.iterdir()):
                raise UsageError(
                    f"{path} exists already and is not an empty folder. A run folder belongs to one run: give another "
                    "--run-dir, or go on with the run in it: glacier-purge apply " + str(path)
                ) from None
            path.chmod(0o700)
        except OSError as error:
            raise UsageError(f"the run folder {path} cannot be made: {error.strerror}.") from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Take an existing folder. Raises ``UsageError`` when it is missing or open to other users."""
        try:
            facts = path.lstat()
        except OSError as error:
            raise UsageError(f"{path} is not a run folder: {error.strerror}.") from error
        if not stat.S_ISDIR(facts.st_mode):
            raise UsageError(f"{path} is not a run folder (symbolic links are not followed).")
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UsageError(
                f"{path} can be written by other users, so its plan proves nothing. Run: chmod 0700 {path}"
            )
        return cls(path)

    @classmethod
    def open_or_create(cls, path: Path) -> RunFolder:
        """Take the folder that is there, or make it. Raises ``UsageError`` as ``open`` and ``create`` do."""
        return cls.open(path) if path.exists() or path.is_symlink() else cls.create(path)

    def identity(self) -> Identity:
        """Read ``run.json``; raises ``PlanRefused`` when it cannot be read."""
        file = self.path / IDENTITY_FILE
        try:
            identity = read_document(file, Identity)
        except DocumentUnreadable as error:
            raise PlanRefused(
                f"{file} cannot be read ({error}): this is not a whole run folder. Plan again."
            ) from error
        if identity is None:
            raise PlanRefused(f"{file} is missing: this is not a whole run folder. Plan again.")
        return identity

    def write_identity(self, identity: Identity) -> None:
        """Write ``run.json``, once."""
        self.write_once(IDENTITY_FILE, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")

    def write_once(self, name: str, content: bytes) -> None:
        """Write a file whole and durable under its final name, which must be new."""
        if (self.path / name).exists():
            raise UsageError(f"{self.path / name} exists already; it is written once and never changed.")
        self.replace(name, content)

    def replace(self, name: str, content: bytes) -> None:
        """Put a file in place in one step: no reader and no crash ever sees half of it."""
        temporary = self.path / f".{name}.new"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.path / name)
        sync_folder(self.path)

    @contextmanager
    def locked(self, vault: Vault, endpoint_url: str) -> Iterator[None]:
        """Hold the run's lock and the vault's lock, for what changes the vault.

        Raises ``RunLocked`` when another process has one of them, ``DiskFailed`` when one can't be taken.
        """
        with locks.run_locked(self.path), locks.vault_locked(vault, endpoint_url, self.path):
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run's lock alone, for what sends no delete of an archive. Raises as ``locked`` does."""
        with locks.run_locked(self.path):
            yield

    def is_locked(self) -> bool:
        """Tell whether a process works on the run right now."""
        return locks.run_is_locked(self.path)


def run_name(vault_name: str, now: datetime) -> str:
    """A folder name for a new run: the vault and the time in UTC, to the second."""
    return f"{vault_name.lstrip('.-') or 'vault'}-{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"


def sync_folder(path: Path) -> None:
    """Make created and renamed names in ``path`` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
