"""The run folder: where everything about one purge lies.

A folder belongs to one vault and one plan for ever.  Its name may carry the vault's, its rights are the owner's
alone.  Two locks (``locks``) are held for the life of a process that sends deletes: the folder's, one writer per run,
and the vault's on this host, so that two folders cannot purge the same vault side by side.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from glacier_purge.archive import Vault
from glacier_purge.errors import DiskFailed, NotOurs, UsageError
from glacier_purge.host_faults import of_place
from glacier_purge.storage import documents, locks
from glacier_purge.storage.disk import Files, FolderFiles
from glacier_purge.storage.file_system import PROBE_FILE, check_file_system, sync_name
from glacier_purge.storage.ownership import check_own_folder, check_owner, check_way_to, open_own

PLAN_FILE = "plan.json"
IDENTITY_FILE = "run.json"
AUDIT_FOLDER = "audit"
APPROVALS_FOLDER = "approvals"
TERMS_FILE = "terms.json"
LIFECYCLE_FILE = "lifecycle.jsonl"
_FOLDERS = (AUDIT_FOLDER, "verification", APPROVALS_FOLDER)
"""Folders in a run folder, whose files are held to the same."""
_OURS = (
    PLAN_FILE,
    "stream.json",
    IDENTITY_FILE,
    AUDIT_FOLDER,
    LIFECYCLE_FILE,
    TERMS_FILE,
    "fleet.json",
    "retrieval.json",
)
"""By any of these a folder of ours is known, a lifecycle's and a fleet's among them."""


class RunFolder:
    """An existing run folder that is safe to use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: Files = FolderFiles(path)
        self.audit = path / AUDIT_FOLDER
        self.plan_file = path / PLAN_FILE

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a new folder, rights 0700.

        Raises ``UsageError`` when something is there already, for a place where there can be none, and where the file
        system can't do what a run needs; ``HostFailed`` where the disk or a limit is why.
        """
        check_way_to(path)
        try:
            _make_or_take(path)
        except OSError as error:
            raise of_place(error, f"the run folder {path} cannot be made", "Give another --run-dir.") from error
        return cls(path)

    @classmethod
    def look(cls, path: Path) -> RunFolder:
        """Take an existing folder to look into it and no more: it may be anybody's.

        Raises ``UsageError``, and ``HostFailed`` where the disk or a limit is why.
        """
        try:
            facts = path.lstat()
        except OSError as error:
            raise of_place(error, f"{path} is not a run folder", "Give the folder that `plan` made.") from error
        if not stat.S_ISDIR(facts.st_mode):
            raise UsageError(f"{path} is not a run folder (symbolic links are not followed).")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Take an existing folder to work in it. Raises as ``look`` does, also when it is not its user's alone."""
        folder = cls.look(path)
        try:
            check_way_to(path)
            check_own_folder(path)
            for name in _FOLDERS:
                with suppress(FileNotFoundError):
                    check_own_folder(path / name)
            with suppress(FileNotFoundError):
                os.close(open_own(path / locks.LOCK_FILE))
            sync_name(path)  # whoever made it may have been killed before it was durable
        except NotOurs:
            if any((path / name).exists() for name in _OURS):
                raise
            raise UsageError(
                f"{path} is not a run folder: nothing of a run lies in it, and others can write there. Nothing was "
                "sent. Give the folder that `plan` made, or a new --run-dir."
            ) from None
        except OSError as error:
            raise of_place(error, f"{path} cannot be worked in", "Nothing was sent.") from error
        return folder

    @classmethod
    def open_or_create(cls, path: Path) -> RunFolder:
        """Take the folder that is there, or make it. Raises ``UsageError`` as ``open`` and ``create`` do."""
        return cls.open(path) if path.exists() or path.is_symlink() else cls.create(path)

    def check_disk(self) -> None:
        """Try all that a run needs of a file system, for a folder that may have been moved since it was made.

        Raises ``UsageError`` where something is lacking, ``DiskFailed`` for a disk that fails.
        """
        try:
            check_file_system(self.path)
        except OSError as error:
            raise DiskFailed(
                f"{self.path} can't be worked in: {error.strerror}. Mend the disk and start again."
            ) from error

    def write_once(self, name: str, content: bytes) -> None:
        """Write a file whole and durable under its final name, which must be new."""
        if (self.path / name).exists():
            raise UsageError(f"{self.path / name} exists already; it is written once and never changed.")
        self.replace(name, content)

    def replace(self, name: str, content: bytes) -> None:
        """Put a file in place in one step: no reader and no crash ever sees half of it."""
        documents.replace(self.files, name, content)

    def make_folder(self, name: str) -> None:
        """Have a folder in it, durably, rights 0700. Raises ``NotOurs`` where others could write there."""
        place = self.path / name
        try:
            place.mkdir(mode=0o700)
            sync_name(place)
        except FileExistsError:
            check_own_folder(place)
        except OSError as error:
            raise of_place(error, f"{place} cannot be made", "Nothing was written.") from error

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


def _make_or_take(path: Path) -> None:
    """Make a folder that a run can work in, or take the empty one that is there."""
    made = [path, *takewhile(lambda parent: not parent.exists(), path.parents)]
    try:
        path.mkdir(mode=0o700, parents=True)
        with _taken_away_again(path):
            check_file_system(path)
            for folder in made:
                sync_name(folder)
    except FileExistsError:
        if path.is_symlink() or not path.is_dir() or {entry.name for entry in path.iterdir()} - {PROBE_FILE}:
            raise UsageError(
                f"{path} exists already and is not an empty folder. A run folder belongs to one run: give another "
                "--run-dir, or go on with the run in it: glacier-purge apply " + str(path)
            ) from None
        check_owner(path)
        path.chmod(0o700)
        check_file_system(path)
        sync_name(path)


@contextmanager
def _taken_away_again(path: Path) -> Iterator[None]:
    """Remove an empty folder after any error."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.rmdir()
        raise


def run_name(vault_name: str, now: datetime) -> str:
    """A folder name for a new run: the vault and the time in UTC, to the second."""
    return f"{vault_name.lstrip('.-') or 'vault'}-{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"
