"""Services that give credentials, pretended on loopback in a thread: STS, the login portal, a machine's metadata.

``answers`` says what becomes of each action, or of a path where there is no action: a status and a body, ``CLOSES``
(the connection ends without an answer) or ``HANGS`` (nothing comes for as long as the test lasts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from types import TracebackType

Answer = tuple[int, str] | None
HANGS: Answer = None
CLOSES: Answer = (0, "")
_XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"
_SCOPE = re.compile(r"Credential=([^/]+)/[0-9]{8}/([^/]+)/")


@dataclass(frozen=True)
class Asked:
    """A request: what for, by which key and for which region it was signed (none: unsigned), and its parameters."""

    action: str
    key: str | None
    region: str | None
    parameters: dict[str, str]


@dataclass
class PretendedSts:
    """Listens for as long as the ``with`` lasts."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    _over: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pretended = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

            def do_GET(self) -> None:
                self._answer("")

            do_PUT = do_POST  # noqa: N815 - the base class's name

            def _answer(self, body: str) -> None:
                parameters = {name: values[0] for name, values in parse_qs(body).items()}
                action = parameters.get("Action", self.path.partition("?")[0])
                signed = _SCOPE.search(self.headers.get("authorization", ""))
                key, region = signed.groups() if signed else (None, None)
                pretended.asked.append(Asked(action, key, region, parameters))
                answer = pretended.answers.get(action, (404, ""))
                if answer is None:
                    pretended._over.wait()
                    return
                if answer == CLOSES:
                    return
                status, text = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        return Handler


def session_given(action: str, key: str = "ASIAROLE0000EXAMPLE", lasts: timedelta = timedelta(hours=1)) -> Answer:
    """What STS answers to ``AssumeRole`` and ``AssumeRoleWithWebIdentity``."""
    ends = (datetime.now(UTC) + lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
    return 200, (
        f'<{action}Response xmlns="{_XMLNS}"><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId>'
        f"<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>{ends}</Expiration>"
        "</Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/purge/me</Arn>"
        f"<AssumedRoleId>AROA:me</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
    )


def refused(status: int, code: str, message: str) -> Answer:
    """What STS answers when it says no."""
    return status, (
        f'<ErrorResponse xmlns="{_XMLNS}"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>'
        "</Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
