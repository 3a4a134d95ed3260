"""One process a run, one sender a vault on a host: whose turn it is, and who has it.

A lock must be the host's and not a user's, must end with its process however that ends, and must not be there to be
taken away by somebody who tidies up.  No file is all of this: its owner removes it while it is held, the next process
makes another of the same name, and both hold a lock.  Linux has names that are: a Unix socket bound in the abstract
namespace belongs to one process until the kernel takes it back, in no folder, under nobody's rights.  Whoever finds a
name taken asks its holder over it; which process and which user that is, the kernel says and not the holder.

- A vault's lock is such a name, made of the vault's ARN, and of the port where the service is pretended on loopback:
  every real endpoint of a region leads to the same vault.
- A run's lock is such a name, made of the folder's inode, and a ``flock`` on ``lock`` in it, which also keeps out other
  hosts where the folder lies on a disk that they share and that knows locks.
- Who wants a vault's lease has such a name for it too, from before it asks until it has let go or is dead.  That name,
  this boot of the kernel and this namespace come to one word, which a lease carries: a process that has the name knows
  of a lease with the same word that whoever wrote it is gone.
- Where there are no such names, a ``flock`` on a file stands in for them: in ``/var/tmp`` for a vault.  Its owner can
  remove that while it is held, and root can anywhere.

What is not kept out: other hosts, and containers with a network namespace of their own.  Any user can take a vault's
name and keep it: then nothing is sent, and it is said who has it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import pwd
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from time import sleep
from urllib.parse import urlsplit

import msgspec

from glacier_purge.archive import Vault
from glacier_purge.clock import utc_now
from glacier_purge.errors import DiskFailed, RunLocked, UsageError
from glacier_purge.storage.documents import DocumentUnreadable, decoded
from glacier_purge.storage.file_system import described, is_lacking

LOCK_FILE = "lock"
_HAS_ABSTRACT_NAMES = sys.platform == "linux"
_EVERYBODYS = Path("/var/tmp")  # noqa: S108 - for all users, and not emptied while a run goes on for days
_BOOT, _NETWORK = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/net")
"""By which one kernel's boot, and one namespace of names in it, are told from all others."""
_ASKERS_MAX = 16
_ANSWER_SECONDS = 1.0
_ANSWER_BYTES_MAX = 8_192
_NOTE_BYTES_MAX = 256
_TRIES_MAX = 20
_TRY_AGAIN_SECONDS = 0.01
"""Who looks whether a file is locked (``status``) has it for some microseconds, and must keep nobody from his run."""
_CREDENTIALS = struct.Struct("iII")
"""struct ucred of unix(7): process, user, group."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder says of itself: in which run folder it works, if in one, and since when (UTC, ISO 8601)."""

    run_dir: str | None
    since: str

    def __str__(self) -> str:
        return f"since {self.since}" + ("" if self.run_dir is None else f", in {self.run_dir}")


@contextmanager
def run_locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the run, lifecycle or fleet in ``folder``.

    Raises ``RunLocked`` when another process has it, ``DiskFailed`` when it can't be taken.
    """
    holding = _holding(folder)
    taken = f"another process works on the run in {folder}"
    file = folder / LOCK_FILE
    if not _HAS_ABSTRACT_NAMES:
        with _file_held(file, holding, taken, mode=0o600):
            yield
        return
    with _name_held(_name_of_run(folder), holding, taken), _file_held(file, holding, taken, mode=0o600):
        yield


@contextmanager
def vault_locked(vault: Vault, endpoint_url: str, run_dir: Path | None) -> Iterator[None]:
    """Hold this host's lock for what changes a vault; ``run_dir``, if any, is told to whoever finds it taken.

    Raises ``RunLocked`` when another process has it, ``DiskFailed`` when it can't be taken.
    """
    holding = _holding(run_dir)
    taken = f"another process on this host works on {vault.arn}"
    name = name_of_vault(vault, endpoint_url)
    if _HAS_ABSTRACT_NAMES:
        with _name_held(name, holding, taken):
            yield
    else:
        with _file_held(_EVERYBODYS / name.replace("/", "-"), holding, taken, mode=0o666):
            yield


@contextmanager
def lease_locked(place: str, vault: Vault, run_dir: Path | None) -> Iterator[str]:
    """Hold this host's lock for who wants the lease that lies at ``place``; give the word that stands for that lock.

    Whoever has the lock, and finds a lease with the same word, knows that its holder's process is gone.  The word is
    empty where this host has no such locks, or does not tell its boots apart; then nothing is known of anybody.  Raises
    ``RunLocked`` when another process has it, ``DiskFailed`` when it can't be taken.
    """
    name = f"glacier-purge/lease/{hashlib.sha256(place.encode()).hexdigest()}"
    here = _boot_and_namespace() if _HAS_ABSTRACT_NAMES else None
    if here is None:
        yield ""
        return
    taken = f"another process on this host works on {vault.arn}, by the lease in {place}"
    with _name_held(name, _holding(run_dir), taken):
        yield hashlib.sha256(f"{here} {name}".encode()).hexdigest()


def run_is_locked(folder: Path) -> bool:
    """Tell whether a process works on the run in ``folder`` now. Its file is locked no longer than looking takes.

    Raises ``UsageError`` where that cannot be told.
    """
    return (_HAS_ABSTRACT_NAMES and _name_is_held(_name_of_run(folder))) or _file_is_held(folder / LOCK_FILE)


def name_of_vault(vault: Vault, endpoint_url: str) -> str:
    """The name of a vault's lock, the same in every process of every user."""
    from glacier_purge.aws.endpoints import is_loopback  # noqa: PLC0415 - verbs that only read load no service

    where = f" at loopback port {urlsplit(endpoint_url).port}" if is_loopback(endpoint_url) else ""
    return f"glacier-purge/vault/{hashlib.sha256(f'{vault.arn}{where}'.encode()).hexdigest()}"


def _boot_and_namespace() -> str | None:
    """What is the same for two processes only where one name can't be both of theirs; None where nobody tells.

    A namespace's inode may come again, but only once all of its processes are gone.
    """
    try:
        boot, network = _BOOT.read_text("ascii").strip(), _NETWORK.stat()
    except (OSError, UnicodeDecodeError):
        return None
    return f"{socket.gethostname()} {boot} {network.st_dev}:{network.st_ino}" if boot else None


def _name_of_run(folder: Path) -> str:
    """The name of a run's lock: a folder's inode is the same by whatever path it is reached."""
    try:
        facts = folder.stat()
    except OSError as error:
        raise _lock_failed(f"the lock of {folder}", error) from error
    return f"glacier-purge/run/{facts.st_dev}:{facts.st_ino}"


def _holding(run_dir: Path | None) -> Holding:
    since = f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
    return Holding(run_dir=None if run_dir is None else str(run_dir.absolute()), since=since)


def _lock_failed(lock: str, error: OSError) -> DiskFailed:
    because = error.strerror or str(error)
    return DiskFailed(f"{lock} can't be taken: {because}. Nothing was sent. Put that right and start again.")


def _refused(taken: str, holder: str, run_dir: str | None) -> RunLocked:
    look = "" if run_dir is None else f" How it stands: glacier-purge status {run_dir}"
    return RunLocked(f"{taken}: {holder}. Nothing was sent.{look}")


# -- a name of the host's ---------------------------------------------------------------------------------------------


@contextmanager
def _name_held(name: str, holding: Holding, taken: str) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(_address(name))
            listener.listen(_ASKERS_MAX)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                holder, run_dir = _asked(name)
                raise _refused(taken, holder, run_dir) from None
            raise _lock_failed(f"this host's lock @{name}", error) from error
        answering = Thread(target=_answer, args=(listener, msgspec.json.encode(holding)), name=name, daemon=True)
        answering.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends the thread's waiting
            answering.join()


def _answer(listener: socket.socket, answer: bytes) -> None:
    """Say who we are to everybody who connects, from a thread: the event loop may be busy, or not there yet.

    An asker that does not read is no trouble: what does not fit into its socket at once is dropped with it.
    """
    with suppress(OSError):  # the lock is given back; or no file can be opened any more, and then who asks gets silence
        while True:
            asker, _ = listener.accept()
            with asker, suppress(OSError):
                asker.setblocking(False)
                asker.send(answer)


def _asked(name: str) -> tuple[str, str | None]:
    """Who holds a name, in words, and the folder it works in where it says so."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(_ANSWER_SECONDS)
        try:
            link.connect(_address(name))
            peer = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return f"it takes no questions; `ss -xap` as root shows who has @{name}, if it has not just ended", None
        process, user, _ = _CREDENTIALS.unpack(peer)
        holder = _in_words(process, user)
        try:
            said = decoded(link.recv(_ANSWER_BYTES_MAX), Holding)
        except (OSError, DocumentUnreadable):
            return f"{holder}, which does not say what it does (it hangs, or is no glacier-purge)", None
    return f"{holder}, {said}", said.run_dir


def _in_words(process: int, user: int) -> str:
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return f"process {process} of {name}" if process else f"a process of {name} in another container"


def _name_is_held(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(_ANSWER_SECONDS)
        try:
            link.connect(_address(name))
        except ConnectionRefusedError:
            return False
        except OSError:  # more askers than it has answered yet
            return True
    return True


def _address(name: str) -> bytes:
    return b"\0" + name.encode()


# -- a file that is locked --------------------------------------------------------------------------------------------


@contextmanager
def _file_held(path: Path, holding: Holding, taken: str, *, mode: int) -> Iterator[None]:
    handle = _locked_file(path, taken, mode)
    try:
        _note(handle, path, f"{_in_words(os.getpid(), os.geteuid())} on {socket.gethostname()}, {holding}")
        yield
    finally:
        os.close(handle)


def _locked_file(path: Path, taken: str, mode: int) -> int:
    """Open and lock the file that has this name when it is locked: one that was removed meanwhile keeps nobody out."""
    tries = 0
    while True:
        handle = _open(path, mode)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, handle):
                return handle
        except BlockingIOError:
            tries += 1
            if tries == _TRIES_MAX:
                holder = os.pread(handle, _NOTE_BYTES_MAX, 0).decode("utf-8", "replace").partition("\n")[0]
                os.close(handle)
                raise _refused(taken, holder or "it left no name", None) from None
            sleep(_TRY_AGAIN_SECONDS)
        except OSError as error:
            os.close(handle)
            if is_lacking(error):
                raise DiskFailed(
                    f"the lock {path} can't be taken: it lies on {described(path)}, which has no locks (flock: "
                    f"{error.strerror}). Nothing was sent. Move it to a disk of this host."
                ) from error
            raise _lock_failed(f"the lock {path}", error) from error
        os.close(handle)


def _open(path: Path, mode: int) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        raise _lock_failed(f"the lock {path}", error) from error
    with suppress(PermissionError):  # somebody else's, who has given it these rights already
        os.fchmod(handle, mode)
    return handle


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _note(handle: int, path: Path, text: str) -> None:
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode()[:_NOTE_BYTES_MAX], 0)
    except OSError as error:
        raise _lock_failed(f"the lock {path}", error) from error


def _file_is_held(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _not_told(path, "opened", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise _not_told(path, "asked for its lock", error) from error
    finally:
        os.close(handle)
    return False


def _not_told(path: Path, done: str, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be {done} ({error.strerror}), so nobody can tell whether a process works on the run."
    )
