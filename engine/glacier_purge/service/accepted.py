"""The one reply that nearly every delete gets, recognised as a whole instead of parsed: a 204 of the service.

Only a reply that is exactly that and came in one piece is recognised; whatever differs in anything that matters
(another status, a header that frames or closes, a missing request id, one byte more or less) goes the long way through
the parser.
"""

from __future__ import annotations

import re

from glacier_purge.service.reply import Meaning, Reply

_OTHER_HEADERS = (
    rb"(?:(?:Date|date|Server|server|Content-Type|content-type): [ -~]*\r\n"
    rb"|[Cc]ontent-[Ll]ength: 0\r\n|[Cc]onnection: keep-alive\r\n)*"  # what HTTP/1.1 means anyway
)
_WHOLE_REPLY = re.compile(
    rb"HTTP/1\.1 204 [ -~]*\r\n"
    + _OTHER_HEADERS
    + rb"[Xx]-[Aa]mzn-[Rr]equest[Ii]d: ([!-~]+)\r\n"
    + _OTHER_HEADERS
    + rb"\r\n"
).fullmatch
_DELETED = Meaning.DELETED


def accepted(data: bytes) -> Reply | None:
    """Return the reply when ``data`` is one whole accepted delete on a connection that stays open; None otherwise."""
    match = _WHOLE_REPLY(data)
    return None if match is None else Reply(_DELETED, 204, None, "", match[1].decode("ascii"))
