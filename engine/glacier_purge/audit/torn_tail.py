"""What a crash may leave of the last commit, and nothing else is ever cut off a log.

All lines of a commit carry the same ``ts`` and no two commits in a row do; a commit is one append, and it is begun when
the one before is durable.  So a crash leaves the log whole up to some record, and behind it, of one commit, any of its
512-byte sectors as they were written, the others as zeros, and the file as long as it likes.  In bytes:

- nothing behind the last whole record is of a second commit;
- every byte is one that is written to a log (printable ASCII, ends of lines), or a zero;
- zeros begin with a sector, or where the whole records end, and go on to the end of a sector, or to the end of the file
  (there they may begin anywhere);
- a line without zeros is a whole record, but for the last one, which may be cut off;
- no line begins, or goes on behind a record's end, like no record does.

A broken line that has its end, and no zeros in it, was durable as another one and was changed.  By bytes alone not
everything can be told: a whole commit that somebody cuts back looks like a crash.  What a checkpoint, the manifest or a
later segment vouches for was durable, which is for whoever knows them to say.  The standalone check has this rule in
words of its own (``verification.a_crash_may_leave``).
"""

from __future__ import annotations

import re

_SECTOR_BYTES = 512
_TS = re.compile(rb'\{"seq":[0-9]{1,19},"ts":"([0-9-]{10}T[0-9:.]{12}Z)","event":"')
_RECORD = re.compile(rb'\{"seq":[0-9]{1,19},"ts":"[0-9-]{10}T[0-9:.]{12}Z","event":"[ -~]*"prev":"[0-9a-f]{64}"\}')
_STRANGE = re.compile(rb"[^\0\n -~]")
_GOES_ON = re.compile(rb'"prev":"[0-9a-f]{64}"\}[^\0\n]')
_ZEROS = re.compile(rb"\0+")
_BEGINNING = b'{"seq":'


def is_torn_tail(rest: bytes, *, offset_bytes: int, seq: int) -> bool:
    """Tell whether a crash may have left ``rest``, which stands at ``offset_bytes`` of its segment.

    It is everything behind the last whole record; the next one would be number ``seq``.
    """
    if _STRANGE.search(rest) or _GOES_ON.search(rest) or len(set(_TS.findall(rest))) > 1:
        return False
    if not all(_is_of_sectors(*zeros.span(), len(rest), offset_bytes) for zeros in _ZEROS.finditer(rest)):
        return False
    beginning = b'%b%d,"ts":"' % (_BEGINNING, seq)
    lines = rest.split(b"\n")
    last = len(lines) - 1
    for place, line in enumerate(lines):
        written = line[: len(beginning)].partition(b"\0")[0]
        if not beginning.startswith(written):
            return False
        if place < last and b"\0" not in line and (place == 0 or not _RECORD.fullmatch(line)):
            return False
        beginning = _BEGINNING
    return True


def _is_of_sectors(start: int, end: int, length: int, offset_bytes: int) -> bool:
    """Tell whether zeros from ``start`` to before ``end`` may be sectors that were not written."""
    begins_well = start == 0 or (offset_bytes + start) % _SECTOR_BYTES == 0
    return end == length or (begins_well and (offset_bytes + end) % _SECTOR_BYTES == 0)
