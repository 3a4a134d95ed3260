"""The one reply that nearly every delete gets, recognised as a whole instead of parsed: a 204 of the service.

Only a reply that is exactly that and came in one piece is recognised; whatever differs in anything that matters
(another status, a header that frames or closes, a missing request id, one byte more or less) goes the long way through
the parser.  Replies of one second differ in their request id only, so what stands before and after it is matched once
and compared from then on.
"""

from __future__ import annotations

import re

from glacier_purge.glacier.doubts import REQUEST_ID_CHARACTERS_MAX
from glacier_purge.glacier.reply import Meaning, Reply

_OTHER_HEADERS = (
    rb"(?:(?:Date|date|Server|server|Content-Type|content-type): [ -~]*\r\n"
    rb"|[Cc]ontent-[Ll]ength: 0\r\n|[Cc]onnection: keep-alive\r\n)*"  # what HTTP/1.1 means anyway
)
_WHOLE_REPLY = re.compile(
    rb"HTTP/1\.1 204 [ -~]*\r\n"
    + _OTHER_HEADERS
    + rb"[Xx]-[Aa]mzn-[Rr]equest[Ii]d: ([!-~]{1,%d})\r\n" % REQUEST_ID_CHARACTERS_MAX
    + _OTHER_HEADERS
    + rb"\r\n"
).fullmatch
_VISIBLE = bytes(range(0x21, 0x7F))
"""What a request id is made of: nothing that could end its line."""

_DELETED = Meaning.DELETED


class AcceptedReplies:
    """Recognises accepted deletes; remembers what the last one looked like around its request id."""

    __slots__ = ("_after", "_before", "_bytes", "_id")

    def __init__(self) -> None:
        self._before = self._after = b""
        self._bytes = -1
        self._id = slice(0)

    def read(self, data: bytes) -> Reply | None:
        """Return the reply if ``data`` is one whole accepted delete on a connection that stays open; None otherwise."""
        if len(data) == self._bytes and data.startswith(self._before) and data.endswith(self._after):
            request_id = data[self._id]
            if not request_id.translate(None, _VISIBLE):
                return Reply(_DELETED, 204, None, "", request_id.decode("ascii"))
        match = _WHOLE_REPLY(data)
        if match is None or data.lower().count(b"\r\ncontent-length:") > 1:
            return None
        self._before, self._after, self._bytes = data[: match.start(1)], data[match.end(1) :], len(data)
        self._id = slice(*match.span(1))
        return Reply(_DELETED, 204, None, "", match[1].decode("ascii"))
