"""Nothing that a file, a disk, a network, a limit or a locale can cause is a bug, and every bug stays one."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import Session

from glacier_purge.archive import EXACT
from glacier_purge.aws.profiles import Configuration
from glacier_purge.aws.tls import bundle_in_force
from glacier_purge.errors import DiskFailed, HostFailed, PlanRefused, UsageError
from glacier_purge.host_faults import as_ours, known_numbers, of_place
from glacier_purge.inventory.snapshot import SnapshotFile
from glacier_purge.plan.decisions import check_decisions
from glacier_purge.settings.layers import load_settings
from glacier_purge.storage.bound_file import bound
from glacier_purge.storage.disk import FolderFiles
from glacier_purge.storage.documents import read_document
from glacier_purge.storage.given_file import read_given
from glacier_purge.storage.lines import read_lines
from glacier_purge.storage.ownership import read_own

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUGS = {
    *(errno.EBADF, errno.EFAULT, errno.ENOTSOCK, errno.EDESTADDRREQ, errno.EPROTOTYPE, errno.EISCONN, errno.EALREADY),
    *(errno.EINPROGRESS, errno.EDOM, errno.ERANGE, errno.ECHILD, errno.ESRCH, errno.ENOEXEC),
}
"""What a program brings on itself: descriptors that are none, sockets used wrongly, children it does not have."""


def test_the_table_has_every_error_number_of_this_system() -> None:
    assert {errno.errorcode[number] for number in set(errno.errorcode) - known_numbers()} == set()


@pytest.mark.parametrize("number", sorted(errno.errorcode), ids=lambda number: errno.errorcode[number])
def test_an_error_number_is_the_hosts_or_a_bugs(number: int) -> None:
    error = as_ours(OSError(number, "the reason", "photos/audit"))
    if number in BUGS:
        assert error is None
        return
    assert error is not None
    assert error.exit_code == (2 if number in {errno.ENAMETOOLONG, errno.EILSEQ} else 3)
    assert str(error).startswith("the system refused something ('photos/audit'): the reason. ")


@pytest.mark.parametrize(
    ("stranger", "exit_code", "said"),
    [
        (OSError("no number"), 3, "no number. Put that right"),
        (socket.gaierror(-2, "Name or service not known"), 3, "Name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), 3, "WRONG_VERSION_NUMBER"),
        (TimeoutError(), 3, "TimeoutError"),
        (MemoryError(), 3, "no memory is left"),
        (ImportError("libssl.so.3: cannot open shared object file"), 3, "Install glacier-purge again"),
        (RuntimeError("can't start new thread"), 3, "ulimit"),
        (UnicodeEncodeError("utf-8", "r\udcff", 1, 2, "surrogates not allowed"), 2, "LC_ALL=C.UTF-8"),
        (UnicodeEncodeError("ascii", "r\xfc", 1, 2, "ordinal not in range"), 3, "can't be read or shown"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 3, "can't be read or shown"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_beside_the_numbers(stranger: Exception, exit_code: int, said: str) -> None:
    error = as_ours(stranger)
    assert error is not None
    assert error.exit_code == exit_code
    assert isinstance(error, UsageError if exit_code == 2 else HostFailed)
    assert said in str(error)


@pytest.mark.parametrize(
    "bug",
    [KeyError("ordinal"), AssertionError(), RuntimeError("cannot be"), RecursionError(), ValueError("x"), TypeError()],
    ids=lambda bug: type(bug).__name__,
)
def test_a_bug_stays_one(bug: Exception) -> None:
    assert as_ours(bug) is None


@pytest.mark.parametrize(
    ("number", "exit_code", "said"),
    [
        (errno.EACCES, 2, "x cannot be made: no. Give another."),
        (errno.EROFS, 2, "x cannot be made: no. Give another."),
        (errno.ENAMETOOLONG, 2, "x cannot be made: no. Give another."),
        (errno.EMFILE, 3, "x cannot be made: no. Raise the limit"),
        (errno.ENOSPC, 3, "x cannot be made: no. Make room"),
        (errno.EIO, 3, "x cannot be made: no. Mend it"),
        (0, 3, "x cannot be made: no. Put that right"),
    ],
)
def test_a_place_that_was_named_may_be_the_wrong_one(number: int, exit_code: int, said: str) -> None:
    error = of_place(OSError(number, "no"), "x cannot be made", "Give another.")
    assert error.exit_code == exit_code
    assert str(error).startswith(said)


@pytest.mark.parametrize("error", [PlanRefused("too old"), DiskFailed("full")])
def test_what_is_ours_already_is_left_alone(error: PlanRefused | DiskFailed) -> None:
    assert as_ours(error) is error


def read_bound(path: Path) -> None:
    with bound(path, hashlib.sha256()):
        pass


def read_planned_snapshot(path: Path) -> None:
    with SnapshotFile(path=path, format="json", sha256="", id_rule=EXACT).bound():
        pass


def read_snapshot(path: Path) -> None:
    next(SnapshotFile(path=path, format="json", sha256="", id_rule=EXACT).batches())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    "read",
    [
        read_own,
        read_bound,
        read_planned_snapshot,
        read_snapshot,
        lambda path: read_document(path, dict[str, Any]),
        lambda path: read_lines(FolderFiles(path.parent), path.name),
        lambda path: check_decisions(path.parent, ""),
    ],
    ids=[
        "a file",
        "a bound file",
        "an inventory that was planned with",
        "an inventory",
        "a document",
        "steps",
        "decisions",
    ],
)
def test_of_a_file_that_the_host_does_not_give_nobody_says_that_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object], number: int
) -> None:
    """Whoever is told so puts another file in its place, or ends a lifecycle that could go on."""
    path = tmp_path / "decisions"
    path.write_bytes(b"{}\n")
    path.chmod(0o600)

    def refused(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(
        HostFailed, match=f"can't be read: {os.strerror(number)}.*then give the same command again"
    ) as told:
        read(path)
    assert "restore" not in str(told.value)


@pytest.mark.parametrize(
    "read",
    [
        read_given,
        lambda path: load_settings(file=path),
        lambda path: bundle_in_force(path, Configuration(None, {})),
        lambda _: Configuration(Session(), {}),
    ],
    ids=["a file that is given", "settings", "authorities", "AWS's configuration"],
)
def test_a_file_that_somebody_named_is_not_blamed_for_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "config"
    path.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(HostFailed, match=r"can't be read: .*Too many open files\. Raise the limit of open files"):
            read(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
