"""What the event loop of verbs asks of the process it runs in."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUFFERS = """
import anyio, ctypes, sys
from glacier_purge.cli import event_loop

event_loop._TRIM_SECONDS = 0.1

def resident_kb():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmRSS:")]
    return int(line.split()[1])

async def connections_come_and_go():
    malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
    malloc.restype, free.argtypes, malloc.argtypes = ctypes.c_void_p, [ctypes.c_void_p], [ctypes.c_size_t]
    def filled():
        buffer = malloc(256 * 1024)
        ctypes.memset(buffer, 1, 256 * 1024)
        return buffer
    free(filled())  # glibc learns from this that such sizes are to be kept
    before = resident_kb()
    buffers = [filled() for _ in range(200)]
    kept = malloc(64 * 1024)  # above them all: the heap's end cannot be given back
    for buffer in buffers:
        free(buffer)
    await anyio.sleep(0.3)
    sys.stdout.write(str(resident_kb() - before))
    return 0

event_loop.in_event_loop(connections_come_and_go)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is Linux's")
def test_what_connections_read_into_goes_back_to_the_system() -> None:
    """Else the memory of a run grows for as long as connections are lost."""
    done = subprocess.run([sys.executable, "-c", BUFFERS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10_000
