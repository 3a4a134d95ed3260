"""The first process of a host: goes into a network namespace, and starts a worker there for each line it reads.

    python -m tests.rehearsal.company.inside PORT=SOCKET ... -- COMMAND ...

Whoever kills the worker kills it by its number, which is answered on a line.  At the end of what it reads it ends.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.reliability.apart import live_apart


def main() -> None:
    words = sys.argv[1:]
    doors, command = words[: words.index("--")], words[words.index("--") + 1 :]
    live_apart({int(port): Path(path) for port, _, path in (door.partition("=") for door in doors)})
    worker: subprocess.Popen[bytes] | None = None
    for line in sys.stdin:
        if worker is not None:
            worker.wait()
        log = Path(line.strip())
        with log.open("ab") as told:
            worker = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True
            )
        print(worker.pid, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
