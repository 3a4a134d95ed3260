"""What stands between a company's machine and AWS, on loopback: certificates of all kinds, a server that has one of
them in front of a simulator, and a proxy that reads what goes through it.

It serves in a thread of its own, because the command that is tried runs in this process.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost")
_CALLER = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/purger</Arn>"
    "<UserId>AIDAEXAMPLE</UserId><Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata>"
    "<RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)
_ROLE = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>s"
    "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{until}</Expiration></Credentials></AssumeRoleResult>"
    "</AssumeRoleResponse>"
)
_STS_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n"
    b"x-amzn-RequestId: 01234567-89ab-cdef-0123-%012d\r\n\r\n"
)


@dataclass(frozen=True)
class Certified:
    """A certificate with its key, and the ones between it and its authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    between: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _signed(
    name: str, by: Certified | None, days: tuple[int, int], extensions: Sequence[tuple[x509.ExtensionType, bool]]
) -> Certified:
    """A certificate by ``by``, or by itself; ``days`` is from when to when it holds."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    builder = builder.issuer_name(subject if by is None else by.certificate.subject)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days[0])).not_valid_after(now + timedelta(days[1]))
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return Certified(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


def authority(name: str = "Company", *, by: Certified | None = None, old: bool = False) -> Certified:
    """An authority; ``old`` is one as companies made them before RFC 5280: it does not say what its key is for."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=True, path_length=None), not old)]
    if not old:
        usage = {each: each in {"key_cert_sign", "crl_sign"} for each in _KEY_USAGES}
        extensions.append((x509.KeyUsage(**usage), True))
    return _signed(name, by, (-30, 30), extensions)


_KEY_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def issued(
    by: Certified | None,
    names: Sequence[str] = LOOPBACK,
    *,
    days: tuple[int, int] = (-1, 7),
    between: tuple[x509.Certificate, ...] = (),
) -> Certified:
    """A server's certificate; by nobody, it is its own authority."""
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    signed = _signed(names[0][:60], by, days, [(x509.SubjectAlternativeName(alternatives), False)])
    return replace(signed, between=between)


def server_side(certified: Certified, folder: Path) -> ssl.SSLContext:
    """What a server with this certificate speaks TLS by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = folder / f"{certified.certificate.serial_number}.pem"
    chain = [certified.certificate, *certified.between]
    file.write_text(certified.key_pem + "".join(each.public_bytes(Encoding.PEM).decode() for each in chain))
    context.load_cert_chain(file)
    return context


@dataclass
class Front:
    """A server before a simulator. ``asked`` has the hosts a proxy was asked for, or the names of a TLS greeting."""

    port: int = 0
    connections: int = 0
    requests: int = 0
    asked: list[str] = field(default_factory=list)


@contextmanager
def front(simulator_port: int, tls: ssl.SSLContext | None) -> Iterator[Front]:
    """Serve the simulator's answers, over TLS if so said."""
    shown = Front()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.connections += 1
        await _relay(shown, reader, writer, simulator_port)

    with _serving(serve, tls) as shown.port:
        yield shown


@contextmanager
def refusing(tls: ssl.SSLContext) -> Iterator[Front]:
    """Take no client: say so in TLS, as servers do (asyncio's hang up instead)."""
    shown = Front()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        shown.port = listener.getsockname()[1]

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                if shown.connections < 0:
                    connection.close()
                    return
                shown.connections += 1
                connection.settimeout(10)
                with suppress(OSError), tls.wrap_socket(connection, server_side=True) as spoken:
                    spoken.recv(1)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield shown
        finally:
            shown.connections = -1
            socket.create_connection(("127.0.0.1", shown.port)).close()
            thread.join(10)


@contextmanager
def proxy(
    simulator_port: int,
    account: str,
    inside: Callable[[str], ssl.SSLContext],
    tls: ssl.SSLContext | None = None,
    refusal: str = "",
) -> Iterator[Front]:
    """Serve as a proxy that reads along: whatever host is asked for, ``inside`` has the TLS that is spoken in its name.

    It lets nobody through where it has a ``refusal``, as in "407 Proxy Authentication Required".
    STS answers as a user of ``account``, every other host is the simulator.
    """
    shown = Front()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        shown.asked.append(host := head.split(b" ")[1].decode())
        if refusal:
            writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(inside(host.partition(":")[0]))
        if "sts" in host:
            await _answer_as_sts(shown, reader, writer, account)
        else:
            await _relay(shown, reader, writer, simulator_port)

    with _serving(serve, tls) as shown.port:
        yield shown


async def _answer_as_sts(
    shown: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, account: str
) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        shown.requests += 1
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        asked = await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = (_ROLE if b"AssumeRole" in asked else _CALLER).format(account=account, until=until).encode()
        writer.write(_STS_HEAD % (len(body), shown.requests) + body)
        await writer.drain()


async def _relay(shown: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, simulator_port: int) -> None:
    back, forth = await asyncio.open_connection("127.0.0.1", simulator_port)

    async def answers() -> None:
        with suppress(ConnectionError):
            while received := await back.read(65_536):
                writer.write(received)
                await writer.drain()
        writer.close()

    answering = asyncio.create_task(answers())
    try:
        while sent := await reader.read(65_536):
            shown.requests += sent.count(b" HTTP/1.1\r\n")
            forth.write(sent)
            await forth.drain()
    finally:
        answering.cancel()
        forth.close()


@contextmanager
def _serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], tls: ssl.SSLContext | None
) -> Iterator[int]:
    """Serve from a thread until the context is left, and give the port."""
    ready, port, ended = threading.Event(), 0, asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        nonlocal port
        open_writers: set[asyncio.StreamWriter] = set()

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_writers.add(writer)
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)  # type: ignore[misc]  # it is a coroutine's function
            writer.close()

        server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()
        for writer in open_writers:
            writer.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    loop.set_exception_handler(lambda _loop, _context: None)  # a client that does not trust us hangs up
    thread.start()
    assert ready.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
