"""What is no reply although it looks like one: held against this by both transports, before anything is believed.

A 204 is all the proof there is of a deletion, and a box in between can make one, keep one or mix two up.  Whatever the
service would not have sent like that is taken for no reply at all: the connection is given up, since nobody knows what
comes next on it, and the delete is sent again, which costs nothing but a request.
"""

from __future__ import annotations

import re

import msgspec

from glacier_purge.glacier.reply import Reply, no_reply

REPEATED = "RepeatedReply"
UNSOUND = "UnsoundReply"
DOUBTED = frozenset({REPEATED, UNSOUND})
"""The codes of what came back and was not believed."""

REQUEST_ID_CHARACTERS_MAX = 128
"""The service's have 36 to 48; what is longer is no id, and would not be kept in bounded memory."""

_REQUEST_ID = re.compile(rf"[!-~]{{1,{REQUEST_ID_CHARACTERS_MAX}}}").fullmatch
_HEAD_END = b"\r\n\r\n"
_VERSIONS = frozenset({"1.0", "1.1"})


class NotAReplyError(Exception):
    """What came back is no reply to the request. ``reply`` says so as the answer to a delete."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def unsound(why: str) -> Reply:
    """Say that what came back is no reply."""
    return no_reply(UNSOUND, f"what came back is no reply to the delete: {why}")


def repeated(request_id: str) -> Reply:
    """Say that a reply was given to another delete before; its id is told, so that the other one can be doubted too."""
    why = f"what came back was the reply to another delete: its request id {request_id} came before"
    return msgspec.structs.replace(no_reply(REPEATED, why), request_id=request_id)


def fault_of_reply(
    *,
    status: int,
    version: str,
    request_id: str | None,
    error_type: str | None,
    content_length: str | None,
    transfer_encoding: str | None,
    age: str | None,
) -> str | None:
    """Say what about a reply the service would not have sent; None when there is nothing.

    Each value is a header's, those of one that came twice joined by a comma; ``version`` is HTTP's.
    """
    if request_id is not None and not _REQUEST_ID(request_id):
        return "its request id is empty or none of the service's"
    if age is not None:
        return f"it comes out of a cache (Age: {age})"
    if status != 204:
        return None
    if request_id is None:
        return "it is a 204 without a request id"
    if error_type is not None:
        return f"it is a 204 and names an error ({error_type})"
    if content_length not in {None, "0"} or transfer_encoding is not None:
        return "it is a 204 and announces a body"
    if version not in _VERSIONS:
        return f"it is a 204 of HTTP/{version}"
    return None


def has_folded_header(data: bytes) -> bool:
    """Tell whether a header goes on in another line, as in no reply of the service; some parsers of HTTP let it.

    To be asked of every piece of a head, each behind the last byte of the one before.
    """
    return b"\n " in data or b"\n\t" in data


def has_bytes_behind_head(data: bytes) -> bool:
    """Tell whether more follows the head that became whole with ``data``; parsers of HTTP tell of a whole message only.

    To be asked of a 204, which ends with its head.
    """
    return not _HEAD_END.endswith(data[-4:]) or data.endswith(b"\n" + _HEAD_END)
