"""The command ``glacier-purge``: arguments in, exit code out.

``main`` is the only place where an error becomes an exit code and a message.  Our own errors say what to do next and
get no traceback; anything else is a bug, and gets one with ``--debug``.  ``--version`` is answered before the parser
is imported, because scripts ask for it; each verb lives in a module of its own that is imported when it is called.

Nothing is decided here: verbs wire rooms together, and the rooms decide.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from glacier_purge import ELSEWHERE
from glacier_purge.cli.exit_codes import ExitCode
from glacier_purge.cli.streams import OutputClosed, dependable_streams
from glacier_purge.cli.voice import is_heard, say, speaking, voice_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_OPEN_FILES = 10_240
"""As many connections as can be asked for, and what else is open. macOS allows no more (OPEN_MAX)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default the process's own) and return its exit code."""
    if sys.platform == "win32":  # said before anything is imported that Windows does not have
        sys.stderr.write(f"glacier-purge: {ELSEWHERE}\n")
        return ExitCode.USAGE
    arguments = list(sys.argv[1:] if argv is None else argv)
    with dependable_streams(), speaking(voice_wanted(arguments)):
        exit_code = _answer(arguments)
    if argv is None and "temporalio" in sys.modules:
        _leave(exit_code)
    if argv is None:
        gc.freeze()  # or the interpreter looks through all of it for garbage before it ends: a sixth of a short command
    return exit_code


def _leave(exit_code: int) -> NoReturn:
    """End the process with no cleaning up of the interpreter, in which threads of Temporal's SDK may crash.

    What they let go of after an answer needs the interpreter once more (sdk-python, issue 300); all is written by now.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(exit_code)


def _answer(arguments: list[str]) -> int:
    try:
        if arguments in (["--version"], ["-V"]):
            sys.stdout.write(f"glacier-purge {version()}\n")
            exit_code = int(ExitCode.DONE)
        else:
            exit_code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("interrupted. The same command resumes.", "warning")
        return ExitCode.INTERRUPTED
    except OutputClosed as closed:
        return closed.exit_code
    except Exception as error:
        return _explain(error)
    return exit_code


def version() -> str:
    """The installed version of the distribution."""
    from importlib.metadata import version as installed_version

    return installed_version("glacier-purge")


def _run(arguments: list[str]) -> int:
    from glacier_purge.cli.app import parse
    from glacier_purge.cli.working import works_on_stderr
    from glacier_purge.invariants import check_asserts_stay_on

    check_asserts_stay_on()
    _harden_process()
    verb = parse(arguments)
    with works_on_stderr():
        result = verb()
    return result if isinstance(result, int) else ExitCode.DONE


def _harden_process() -> None:
    """Keep what a run writes to its owner, and credentials and the keys of connections out of files; and let the
    process open as many files as it may, where less was asked for.
    """
    os.umask(0o077)
    import resource

    os.environ.pop("SSLKEYLOGFILE", None)  # libraries honour it, some when they are imported
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # a limit of another kind stands against it: what there is, is kept to
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _explain(error: Exception) -> int:
    """Say on stderr what happened, and return the exit code for it."""
    from glacier_purge.errors import each_error, told
    from glacier_purge.host_faults import as_ours
    from glacier_purge.redaction import redact

    if is_heard("debug"):
        import traceback

        _say(redact("".join(traceback.format_exception(error))))
    causes = list(each_error(error))
    ours = [known for cause in causes if (known := as_ours(cause)) is not None]
    if len(ours) == len(causes):
        for message in dict.fromkeys(redact(told(cause)) for cause in ours):
            _say(message, "warning" if ours[0].exit_code == ExitCode.PENDING else "error")
        return ours[0].exit_code
    stranger = next(cause for cause in causes if as_ours(cause) is None)
    _say(f"unexpected error: {type(stranger).__name__}: {redact(str(stranger))}\n{_A_BUG}")
    return ExitCode.UNEXPECTED


_A_BUG = (
    "This is a bug. What is on disk stays valid, and a run can be resumed with the same command; "
    "please report it with the traceback that --debug prints."
)


def _say(message: str, level: str = "error") -> None:
    from glacier_purge.cli.output import fitted_to
    from glacier_purge.report.terminal import safe_lines

    say(level, message, fitted_to(sys.stderr, f"glacier-purge: {safe_lines(message)}"))
