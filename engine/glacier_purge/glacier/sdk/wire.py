"""The SDK's end of a connection: what came over it is judged before aiohttp hands it on or uses the connection again.

Above aiohttp it would be too late: a connection is back in the pool, and perhaps under the next request, before the SDK
has read the reply it brought.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp.client_proto import ResponseHandler

from glacier_purge.aws.session import Scrutiny
from glacier_purge.glacier.doubts import (
    NotAReplyError,
    fault_of_reply,
    has_bytes_behind_head,
    has_folded_header,
    repeated,
    unsound,
)
from glacier_purge.glacier.sdk.answers import hold_to_promise

if TYPE_CHECKING:
    import asyncio

    from aiohttp.http_parser import RawResponseMessage

    from glacier_purge.glacier.recording import Recording
    from glacier_purge.glacier.reply import Reply
    from glacier_purge.glacier.request_ids import SeenRequestIds
    from glacier_purge.glacier.service_clock import ServiceClock

_ANOTHER_PROTOCOL = 101


class JudgedReplies(ResponseHandler):
    """A connection on which ``NotAReplyError`` is raised, and which is closed, where what came is no reply.

    ``seen`` are the request ids that came over any connection of the process, as far as they are remembered.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seen: SeenRequestIds) -> None:
        super().__init__(loop)
        self._seen = seen
        self._last, self._is_folded = b"", False

    def set_response_params(self, **options: Any) -> None:
        """Begin with the reply to another request."""
        self._last, self._is_folded = b"", False
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        """Read on; whole heads are in ``_buffer`` from here on, until aiohttp takes them out."""
        is_early = self.transport is not None and self.transport.get_write_buffer_size() > 0
        taken = len(self._buffer)
        self._is_folded |= has_folded_header(self._last + data)
        self._last = data[-1:]
        super().data_received(data)
        if len(self._buffer) > taken and self._exception is None:
            finals = [
                message for (message, _), _ in self._buffer if message.code >= 200 or message.code == _ANOTHER_PROTOCOL
            ]
            doubt = unsound("it came before the request had left") if is_early else self._doubt(finals, data)
            if doubt is not None:
                self._give_up(doubt)

    def _doubt(self, finals: list[RawResponseMessage], data: bytes) -> Reply | None:
        if not finals:  # an interim reply (1xx) is only a forerunner
            return None
        (reply, *more) = finals
        if reply.code == _ANOTHER_PROTOCOL:  # aiohttp would hand it on, and neither read on nor close
            return unsound("it offers another protocol")
        if more or (reply.code == 204 and has_bytes_behind_head(data)):
            return unsound("more bytes came behind it")
        if reply.code == 204 and self._is_folded:
            return unsound("a header of it goes on in another line")
        request_id = _text(reply, "x-amzn-RequestId")
        fault = fault_of_reply(
            status=reply.code,
            version=f"{reply.version.major}.{reply.version.minor}",
            request_id=request_id,
            error_type=_text(reply, "x-amzn-ErrorType"),
            content_length=_text(reply, "Content-Length"),
            transfer_encoding=_text(reply, "Transfer-Encoding"),
            age=_text(reply, "Age"),
        )
        if fault is not None:
            return unsound(fault)
        if request_id is not None and not self._seen.is_new(request_id):
            return repeated(request_id)
        return None

    def _give_up(self, doubt: Reply) -> None:
        self._buffer.clear()
        self.set_exception(NotAReplyError(doubt))
        if self.transport is not None:
            self.transport.close()


def _text(message: RawResponseMessage, name: str) -> str | None:
    """A header's value; of one that came twice the values joined, as HTTP says."""
    values: list[Any] = message.headers.getall(name, [])
    return ", ".join(values) if values else None


def scrutiny(recording: Recording | None, seen: SeenRequestIds, clock: ServiceClock) -> Scrutiny:
    """What replies of the services are held to, by every client of a session, and who takes notes.

    ``seen`` are the request ids that replies have carried, over whatever connections; ``clock`` goes by what they say.
    """
    kind = JudgedReplies if recording is None else recording.of(JudgedReplies)
    return Scrutiny(answer=partial(hold_to_promise, clock.heard), connections=lambda loop: kind(loop, seen))
