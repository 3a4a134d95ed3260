"""What an exception of Python's own says of the host it was raised on: whose fault it is, and what to do now.

A file, a disk, a network, a limit or a locale of the host is nobody's bug.  What keeps its own words for that (the
audit log, a lock, an inventory) has raised them before; this is for all the rest, wherever it comes up: one table of
the system's error numbers, and the few exceptions beside ``OSError`` that a host can cause.  What is in neither is a
bug, and stays one.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from glacier_purge.errors import GlacierPurgeError, HostFailed, UsageError

_OURS = "ours"
_ADVICE: dict[str, tuple[str, str]] = {
    "a limit": (
        "Raise the limit of open files, processes or memory (`ulimit -a` shows them)",
        (
            "EMFILE ENFILE ENOMEM EAGAIN ENOBUFS EMLINK E2BIG EUSERS ENOSR EXFULL EOVERFLOW EMSGSIZE ETOOMANYREFS "
            "ELIBMAX EPROCLIM EQFULL"
        ),
    ),
    "no room": ("Make room, or raise the limit of a file's size", "ENOSPC EDQUOT EFBIG"),
    "a right": (
        "Let this user have it, or name another place",
        (
            "EACCES EPERM EROFS ETXTBSY EKEYEXPIRED EKEYREJECTED EKEYREVOKED ENOKEY ERFKILL EAUTH ENEEDAUTH ENOPOLICY "
            "ENOTCAPABLE"
        ),
    ),
    "a place": (
        "Look at what is there",
        (
            "ENOENT ENOTDIR EISDIR EEXIST ENOTEMPTY ELOOP EXDEV EBUSY ESPIPE ENOTTY ENODATA ENOTBLK ENOLINK ENXIO "
            "EREMOTE EREMCHG ENAVAIL ENOTNAM EISNAM ENOTUNIQ EDOTDOT EMULTIHOP ELIBACC ELIBBAD ELIBEXEC ELIBSCN "
            "EFTYPE ENOATTR EBADARCH EBADEXEC EBADMACHO ESHLIBVERS"
        ),
    ),
    "a disk or device": (
        "Mend it, or work on another disk",
        (
            "EIO ESTALE ENODEV ENOMEDIUM EMEDIUMTYPE EREMOTEIO EUCLEAN EBADMSG EPROTO ETIME ENOANO ENOCSI "
            "EUNATCH ENOSTR EL2HLT EL2NSYNC EL3HLT EL3RST ELNRNG EBADE EBADR EBADRQC EBADSLT EBFONT ECHRNG ECOMM EADV "
            "ESRMNT ESTRPIPE EIDRM ENOMSG ENOPKG EBADFD ERESTART EDEADLOCK EDEADLK EOWNERDEAD ENOTRECOVERABLE "
            "EHWPOISON EDEVERR EPWROFF EBADRPC EPROCUNAVAIL EPROGMISMATCH EPROGUNAVAIL ERPCMISMATCH"
        ),
    ),
    "what the system can't do": (
        "Work on a disk of this host that knows locks and can sync folders",
        "EINVAL ENOSYS ENOTSUP EOPNOTSUPP ENOLCK EPROTONOSUPPORT EPFNOSUPPORT EAFNOSUPPORT ESOCKTNOSUPPORT ENOPROTOOPT",
    ),
    "the network": (
        "Look at the network",
        (
            "ECONNREFUSED ECONNRESET ECONNABORTED ENETDOWN ENETUNREACH ENETRESET EHOSTDOWN EHOSTUNREACH ETIMEDOUT "
            "EADDRINUSE EADDRNOTAVAIL ENOTCONN ESHUTDOWN ENONET"
        ),
    ),
    "whoever listens": ("Start again what reads this command's output", "EPIPE"),
    "an interruption": ("Give the command again", "EINTR ECANCELED"),
    _OURS: (
        "",
        "EBADF EFAULT ENOTSOCK EDESTADDRREQ EPROTOTYPE EISCONN EALREADY EINPROGRESS EDOM ERANGE ECHILD ESRCH ENOEXEC",
    ),
    "a name": ("Give another name", "ENAMETOOLONG EILSEQ"),
}
"""Whose each error number is, what to do about it, and the names of the numbers, of which no system has all."""

_GROUP = {
    getattr(errno, name): group
    for group, (_, names) in _ADVICE.items()
    for name in names.split()
    if hasattr(errno, name)
}
_OF_A_PLACE = {"a right", "a place", "a name"}
_ANY = ("Put that right", "")
_NO_THREAD = "can't start new thread"
"""How Python says that the host has no room for another thread (RuntimeError)."""


def known_numbers() -> frozenset[int]:
    """The system's error numbers that the table knows."""
    return frozenset(_GROUP)


def of_place(error: OSError, what: str, advice: str) -> UsageError | HostFailed:
    """Say that ``what`` can't be done at a place that somebody named; with ``advice`` where another place would do."""
    because = f"{what}: {error.strerror or error}"
    if _GROUP.get(error.errno or 0) in _OF_A_PLACE:
        return UsageError(f"{because}. {advice}")
    return HostFailed(f"{because}. {_advice(error)}. Nothing was sent.")


@contextmanager
def if_the_host_fails(what: str) -> Iterator[None]:
    """Raise ``HostFailed``, with ``what`` can't be done, for a limit or a disk that fails; let other errors through.

    Neither says anything of a file, of a program or of who named it: told that a good one is damaged, or that a setting
    is wrong, people would put another in its place.
    """
    try:
        yield
    except OSError as error:
        if _GROUP.get(error.errno or 0) in {*_OF_A_PLACE, _OURS}:
            raise
        raise HostFailed(
            f"{what}: {error.strerror or error}. {_advice(error)}, then give the same command again."
        ) from error


def as_ours(error: BaseException) -> GlacierPurgeError | None:
    """Say ``error`` as one of our own, which it may be already; None when it is a bug."""
    match error:
        case GlacierPurgeError():
            return error
        case OSError():
            return _of_system(error)
        case UnicodeEncodeError() if any("\ud800" <= character <= "\udfff" for character in error.object):
            return UsageError(
                f"{error.object!r} has bytes that are no text in UTF-8. Rename it; or, if it looks right where it was "
                "typed, set LC_ALL=C.UTF-8 and give the command again."
            )
        case UnicodeError():
            return HostFailed(f"text of this host can't be read or shown as what it is said to be: {error}.")
        case MemoryError():
            return HostFailed(f"no memory is left. {_ADVICE['a limit'][0]}, then give the same command again.")
        case ImportError():
            return HostFailed(
                f"a part of the installation can't be loaded: {error}. Install glacier-purge again, or raise the limit "
                "of open files or memory."
            )
        case RuntimeError() if str(error) == _NO_THREAD:
            return HostFailed(f"no thread can be started. {_ADVICE['a limit'][0]}, then give the same command again.")
    return None


def _of_system(error: OSError) -> GlacierPurgeError | None:
    """Read an error by its number, where that is one of the system's and not a resolver's or OpenSSL's own."""
    group = _GROUP.get(error.errno or 0) if type(error).__module__ == "builtins" else None
    if group == _OURS:
        return None
    at = f" ({', '.join(map(repr, names))})" if (names := _names(error)) else ""
    what = f"the system refused something{at}: {error.strerror or str(error) or type(error).__name__}"
    if group == "a name":
        return UsageError(f"{what}. {_ADVICE[group][0]}.")
    return HostFailed(f"{what}. {_advice(error)}, then give the same command again.")


def _advice(error: OSError) -> str:
    return _ADVICE.get(_GROUP.get(error.errno or 0, ""), _ANY)[0]


def _names(error: OSError) -> list[object]:
    return [name for name in (error.filename, error.filename2) if name is not None]
