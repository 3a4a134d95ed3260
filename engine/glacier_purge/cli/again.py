"""The command that goes on from here: this process's own, to be copied from wherever somebody reads of it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_DIGEST = "--confirm-digest"


def same_command(digest: str | None) -> str:
    """This process's command, from the folder it was given in; with ``digest``, the one that approves that plan."""
    words = list(sys.argv[1:])
    while digest is not None and _DIGEST in words:
        at = words.index(_DIGEST)
        del words[at : at + 2]
    words = [word for word in words if digest is None or not word.startswith(f"{_DIGEST}=")]
    approving = [] if digest is None else [_DIGEST, digest]
    return f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(['glacier-purge', *words, *approving])}"
