"""A small S3 on loopback, for tests with real processes: conditional writes, reads, lists, and hosts that are cut off.

Each host of a test reaches it by a port of its own, so that one can be cut off and another not.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import msgspec

from glacier_purge.replica.lease import Holder, LeaseDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier_purge.archive import Vault

_PAGE = 1_000


class PretendS3:
    """Objects by bucket and key; ``ports`` are the ways to them, by host."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.cut_off: set[str] = set()
        self.requests = 0
        self._lock = threading.Lock()
        self._servers: dict[str, ThreadingHTTPServer] = {}

    def endpoint(self, host: str) -> str:
        """Where this host reaches it."""
        if host not in self._servers:
            handler = type("_Handler", (_Handler,), {"s3": self, "host": host})
            server = self._servers[host] = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"http://127.0.0.1:{self._servers[host].server_address[1]}"

    def close(self) -> None:
        """Let nobody in any more."""
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def put(self, key: str, content: bytes, if_none: str | None, if_match: str | None) -> str | None:
        """Write where the conditions hold; None where they do not."""
        with self._lock:
            held = self.objects.get(key)
            if (if_none is not None and held is not None) or (
                if_match is not None and (held is None or etag(held) != if_match)
            ):
                return None
            self.objects[key] = content
            return etag(content)


class _Handler(BaseHTTPRequestHandler):
    s3: ClassVar[PretendS3]
    host: ClassVar[str]
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            self._handle_one_request()

    def _handle_one_request(self) -> None:
        if self.host in self.s3.cut_off:
            self.close_connection = True
            return
        super().handle_one_request()

    def do_PUT(self) -> None:
        self.s3.requests += 1
        length = int(self.headers.get("Content-Length", "0"))
        content = self.rfile.read(length)
        if self.host in self.s3.cut_off or len(content) < length:  # who asked is gone: no S3 keeps half an object
            self.close_connection = True
            return
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            content = _unchunked(content)
        made = self.s3.put(self._key(), content, self.headers.get("If-None-Match"), self.headers.get("If-Match"))
        if made is None:
            self._answer(412, _error("PreconditionFailed"))
        else:
            self._answer(200, b"", ETag=made)

    def do_GET(self) -> None:
        self.s3.requests += 1
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" in asked:
            self._answer(200, self._listed(asked))
            return
        held = self.s3.objects.get(self._key())
        if held is None:
            self._answer(404, _error("NoSuchKey"))
        else:
            self._answer(200, held, ETag=etag(held))

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _listed(self, asked: dict[str, list[str]]) -> bytes:
        bucket = self._key().rstrip("/") + "/"
        prefix, after = asked.get("prefix", [""])[0], asked.get("continuation-token", [""])[0]
        keys = sorted(key.removeprefix(bucket) for key in list(self.s3.objects) if key.startswith(bucket + prefix))
        keys = [key for key in keys if key > after]
        page = keys[:_PAGE]
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(keys) > _PAGE else ""
        found = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in page)
        return (
            f"<?xml version='1.0'?><ListBucketResult><IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
            f"{more}{found}</ListBucketResult>"
        ).encode()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@contextmanager
def pretend_s3() -> Iterator[PretendS3]:
    """An S3 for a test."""
    made = PretendS3()
    try:
        yield made
    finally:
        made.close()


def _error(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()


def _unchunked(content: bytes) -> bytes:
    plain, rest = b"", content
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            break
        plain, rest = plain + rest[:length], rest[length + 2 :]
    return plain


@contextmanager
def held_by_another_host(s3: PretendS3, key: str, vault: Vault, term_seconds: float) -> Iterator[None]:
    """Another host, which holds a vault's lease and renews it, and lets it go in the end."""
    over = threading.Event()

    def write(renewal: int, *, let_go: bool = False) -> None:
        s3.objects[key] = msgspec.json.encode(
            LeaseDocument(
                format="glacier-purge-lease-1",
                vault_arn=vault.arn,
                lease_epoch=7,
                holder=Holder(
                    host="elsewhere",
                    process=7,
                    run="/runs/theirs",
                    tool_version="0.2.0",
                    nonce="theirs",
                    host_lock="another host's",
                ),
                renewal=renewal,
                term_seconds=term_seconds,
                let_go=let_go,
                chain_head=None,
            )
        )

    def renew() -> None:
        for renewal in itertools.count(2):
            if over.wait(term_seconds / 10):
                return
            write(renewal)

    write(1)
    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        write(0, let_go=True)
